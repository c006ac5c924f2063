/**
 * Crash-point enumeration: every file-system operation of every base workload is the moment of a
 * crash, the disk is then in each of many states, and the opening that follows crashes again (see
 * test/harness/crash-explorer.ts). `lost` counts states that were not opened with what they must
 * hold, and nothing else.
 *
 * RIG_CRASH_DEPTH: 2 or 3. RIG_CRASH_FROM, RIG_CRASH_TO: a range of moments, so that a long run can
 * be done in parts. RIG_CRASH_SEED: draws other states. RIG_CRASH_SECONDS: after that no opening is
 * crashed any more; the first crash of each moment is always done. RIG_CRASH_ONLY: part of the name
 * of the workloads to take.
 */
import * as assert from 'uvu/assert';
import {
  type Breadth,
  CrashExplorer,
  DISK_STATES,
  type Moment,
  type Recording,
  record,
} from '../harness/crash-explorer.js';
import { Fault } from '../harness/crash-machine.js';
import { WORKLOADS } from '../harness/crash-workloads.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Crash states');
const DEPTH = Number(process.env['RIG_CRASH_DEPTH'] ?? 2);
const SEED = Number(process.env['RIG_CRASH_SEED'] ?? 1);
const FROM = Number(process.env['RIG_CRASH_FROM'] ?? 0);
const TO = Number(process.env['RIG_CRASH_TO'] ?? Number.POSITIVE_INFINITY);
const SECONDS = Number(process.env['RIG_CRASH_SECONDS'] ?? 200);
const ONLY = process.env['RIG_CRASH_ONLY'] ?? '';
const FAULTS_SHOWN_MAX = 5;
/** Neighbours differ little: what time there is goes to all parts of all workloads. */
const STRIDE = 7;

const ALL: Breadth = { moments: 1, states: DISK_STATES.length };
const BREADTHS: Record<number, readonly Breadth[]> = {
  1: [ALL],
  2: [ALL, { moments: 0.75, states: 4 }],
  3: [ALL, { moments: 0.8, states: 5 }, { moments: 0.3, states: 4 }],
};

test('there are enough workloads, and each does what it is there for', () => {
  assert.ok(WORKLOADS.length >= 40, `${WORKLOADS.length} workloads`);
  for (const { workload, done } of recordings) {
    const missing = workload.mustDo.filter((label) => !done.has(label));
    assert.equal(missing, [], `${workload.name} did only ${[...done].join(', ')}`);
  }
});

test('nothing is lost, whatever a crash leaves and wherever the next one comes', () => {
  const explorer = new CrashExplorer({ breadths: BREADTHS[DEPTH] ?? [ALL], seed: SEED });
  const begunMs = performance.now();
  const seconds = (): number => (performance.now() - begunMs) / 1000;
  const faults: string[] = [];
  let covered = 0;
  for (const [recording, moment] of trials) {
    if (seconds() > SECONDS) explorer.stopDescending();
    try {
      explorer.moment(recording, moment);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      faults.push(error.message);
    }
    covered += moment.covers;
  }
  const { states, byDepth, repeated, unsaid } = explorer.tally;
  const summary = {
    ...{ states, byDepth, repeated, workloads: recordings.length, moments: trials.length },
    ...{ operations: covered, kinds: kindsOf(recordings), depth: DEPTH, seed: SEED, unsaid },
    ...{ from: FROM, to: Math.min(TO, everything.length), of: everything.length },
    ...{ lost: faults.length, seconds: Math.round(seconds() * 10) / 10 },
  };
  console.log(`RIG crash-states ${JSON.stringify(summary)}`);
  if (faults.length > 0) throw new Fault(faults.slice(0, FAULTS_SHOWN_MAX).join('\n\n'));
  if (FROM > 0 || TO < everything.length) return;
  const operations = recordings.reduce((sum, recording) => sum + recording.operations, 0);
  assert.is(covered, operations, 'every operation of every workload was the moment of a crash');
}, 3_600_000);

const recordings = WORKLOADS.filter(({ name }) => name.includes(ONLY)).map(record);
const everything = recordings.flatMap((recording) =>
  recording.moments.map((moment): [Recording, Moment] => [recording, moment]),
);
const range = everything.slice(FROM, TO);
const trials = Array.from({ length: STRIDE }, (_, first) =>
  range.filter((_, i) => i % STRIDE === first),
).flat();

function kindsOf(all: readonly Recording[]): number {
  return new Set(all.flatMap(({ done }) => [...done])).size;
}

run();
