/**
 * Every file-system call of ten workloads (RIG_NTH_WORKLOADS: all of them with `all`) fails, with
 * each error that the system may give, once and for ever; see test/harness/nth-call.ts.
 */
import * as assert from 'uvu/assert';
import { Fault } from '../harness/crash-machine.js';
import { WORKLOADS, type Workload } from '../harness/crash-workloads.js';
import { type Call, callsOf, codesFor, inject, kindsMissing } from '../harness/nth-call.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('N-th call');
const WANTED = process.env['RIG_NTH_WORKLOADS'] ?? '';
const FROM = Number(process.env['RIG_NTH_FROM'] ?? 0);
const TO = Number(process.env['RIG_NTH_TO'] ?? Number.POSITIVE_INFINITY);
const FAULTS_SHOWN_MAX = 5;
const IN_CI = [
  'open an empty store',
  'put',
  'batches in one group',
  'expire',
  'rotate segments',
  'fill spare segments',
  'flush into several tables',
  'merge',
  'open after a clean close',
  'recover with distrust after a failed sync',
];

const chosen: readonly Workload[] = WORKLOADS.filter(
  ({ name }) => WANTED === 'all' || (WANTED === '' ? IN_CI.includes(name) : name.includes(WANTED)),
).slice(FROM, TO);

interface Totals {
  calls: number;
  injections: number;
  poisonings: number;
  refusals: number;
  gaveUp: number;
}

/** Fails each call of the workload in each way. */
function loop(
  workload: Workload,
  calls: readonly Call[],
  totals: Totals,
  failedSites: Set<string>,
): string[] {
  const faults: string[] = [];
  for (const [index, { operation, site }] of calls.entries()) {
    totals.calls++;
    for (const code of codesFor(operation)) {
      for (const forEver of [false, true]) {
        totals.injections++;
        try {
          const outcome = inject({ workload, n: index + 1, code, forEver });
          failedSites.add(site);
          assert.ok(outcome.fired, `${workload.name}: call ${index + 1} did not come`);
          totals.poisonings += outcome.poisonings;
          totals.refusals += outcome.refusals;
          if (outcome.gaveUp) totals.gaveUp++;
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
          faults.push(error.message);
        }
      }
    }
  }
  return faults;
}

test('no call that fails costs what was acknowledged, a file that stays open, or the next start', () => {
  const begunMs = performance.now();
  const totals: Totals = { calls: 0, injections: 0, poisonings: 0, refusals: 0, gaveUp: 0 };
  const faults: string[] = [];
  const sites = new Set<string>();
  const failedSites = new Set<string>();
  const all: Call[] = [];
  for (const workload of chosen) {
    const calls = callsOf(workload);
    for (const { site } of calls) sites.add(site);
    all.push(...calls);
    faults.push(...loop(workload, calls, totals, failedSites));
  }
  const seconds = Math.round((performance.now() - begunMs) / 100) / 10;
  const summary = {
    ...{ workloads: chosen.length, ...totals, sites: sites.size, sitesFailed: failedSites.size },
    ...{ kindsNeverMet: kindsMissing(all), lost: faults.length, seconds },
  };
  console.log(`RIG nth-call ${JSON.stringify(summary)}`);
  if (faults.length > 0) throw new Fault(faults.slice(0, FAULTS_SHOWN_MAX).join('\n\n'));
  assert.equal(failedSites, sites, 'every call site has failed');
  assert.ok(chosen.length < IN_CI.length || sites.size > 60, `${sites.size} call sites`);
}, 3_600_000);

run();
