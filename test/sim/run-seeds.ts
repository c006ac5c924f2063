/** Simulates a range of seeds and sums up. */
import { execFileSync } from 'node:child_process';
import { type SimulationResult, simulate } from './simulation.js';

export interface SeedsOptions {
  operations: number;
  /** Begins no seed after so much time. */
  secondsMax?: number;
}

export interface SeedsTotal {
  from: number;
  /** The last seed that was simulated. */
  to: number;
  seeds: number;
  operations: number;
  acknowledged: number;
  unknowns: number;
  kills: number;
  processKills: number;
  powerLosses: number;
  diskErrors: number;
  flushes: number;
  merges: number;
  recoveries: number;
  simulatedSeconds: number;
  lost: number;
  failures: string[];
  seconds: number;
  /** With so many seeds and no loss, at 95 %: the chance of a loss per seed is below this. */
  bound: number;
}

const FAILURES_MAX = 5;

export async function runSeeds(
  from: number,
  to: number,
  { operations, secondsMax = Infinity }: SeedsOptions,
): Promise<SeedsTotal> {
  const startMs = performance.now();
  const total = noSeeds(from);
  // Refusals are errors by the million; a replay shows the stack of the one that matters.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  for (let seed = from; seed <= to && total.failures.length < FAILURES_MAX; seed++) {
    if (performance.now() - startMs > secondsMax * 1000) break;
    const result = await simulate(seed, { operations });
    add(total, result);
    if (result.violation !== undefined) report(total, result, operations);
  }
  Error.stackTraceLimit = stackTraceLimit;
  total.seconds = Math.round((performance.now() - startMs) / 100) / 10;
  total.simulatedSeconds = Math.round(total.simulatedSeconds);
  total.bound = total.seeds === 0 ? 1 : 3 / total.seeds;
  console.log(`RIG simulation ${JSON.stringify(total)}`);
  return total;
}

function noSeeds(from: number): SeedsTotal {
  return {
    from,
    to: from - 1,
    seeds: 0,
    operations: 0,
    acknowledged: 0,
    unknowns: 0,
    kills: 0,
    processKills: 0,
    powerLosses: 0,
    diskErrors: 0,
    flushes: 0,
    merges: 0,
    recoveries: 0,
    simulatedSeconds: 0,
    lost: 0,
    failures: [],
    seconds: 0,
    bound: 1,
  };
}

function add(total: SeedsTotal, result: SimulationResult): void {
  const { counters } = result;
  total.to = result.seed;
  total.seeds++;
  total.operations += result.operations;
  total.acknowledged += result.acknowledged;
  total.unknowns += result.unknowns;
  total.kills += counters.kills;
  total.processKills += counters.processKills;
  total.powerLosses += counters.powerLosses;
  total.diskErrors += counters.diskErrors;
  total.flushes += counters.flush;
  total.merges += counters.merge;
  total.recoveries += counters.openings;
  total.simulatedSeconds += result.simulatedMs / 1000;
}

function report(total: SeedsTotal, result: SimulationResult, operations: number): void {
  const { violation, seed } = result;
  if (violation === undefined) return;
  total.lost++;
  const where = `operation ${violation.operation}, ${violation.simulatedMs} ms`;
  const text = `seed ${seed} at commit ${commit()}, ${where}: ${violation.text}`;
  const how = operations === 5000 ? '' : ` --operations ${operations}`;
  total.failures.push(text);
  console.log(`${text}\n  replay: npm run sim -- --seed ${seed}${how} --trace`);
}

export function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
