/** Reads back what the server must hold, many keys at a time, and counts what it finds. */
import type { StormClient } from '../client/client.js';
import type { Check, Verdict } from './workload.js';

export type VerifyMode = 'all' | 'sample' | 'none';

export type VerdictCounts = Record<Verdict, number>;

export interface Verification {
  counts: VerdictCounts;
  /** Keys of the first few that are lost or wrong. */
  examples: string[];
}

/** Keys that a thread reads back for a sample. */
export const SAMPLE_KEYS = 20_000;
const KEYS_AT_ONCE = 500;
const BATCHES_AT_ONCE = 4;
const EXAMPLES_MAX = 5;

export function emptyVerification(): Verification {
  const counts: VerdictCounts = {
    found: 0,
    lost: 0,
    wrong: 0,
    'unknown-applied': 0,
    'unknown-absent': 0,
    absent: 0,
  };
  return { counts, examples: [] };
}

/** Adds what another thread found. */
export function addVerification(sum: Verification, part: Verification): void {
  for (const verdict of Object.keys(sum.counts) as Verdict[]) {
    sum.counts[verdict] += part.counts[verdict];
  }
  sum.examples.push(...part.examples.slice(0, EXAMPLES_MAX - sum.examples.length));
}

/** Rejects when a key cannot be read. `onRead` is told how many more keys were read. */
export async function verify(
  kv: Pick<StormClient, 'getMany'>,
  checks: Iterable<Check>,
  onRead: (keys: number) => void,
): Promise<Verification> {
  const result = emptyVerification();
  const source = checks[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (;;) {
      const batch = take(source, KEYS_AT_ONCE);
      if (batch.length === 0) return;
      const values = await kv.getMany(batch.map(({ key }) => key));
      for (const [i, check] of batch.entries()) count(result, check, values[i]);
      onRead(batch.length);
    }
  };
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, lane));
  return result;
}

function take(source: Iterator<Check>, count: number): Check[] {
  const taken: Check[] = [];
  while (taken.length < count) {
    const { done, value } = source.next();
    if (done === true) break;
    taken.push(value);
  }
  return taken;
}

function count(result: Verification, check: Check, value: Buffer | undefined): void {
  const verdict = check.judge(value);
  result.counts[verdict]++;
  const isBad = verdict === 'lost' || verdict === 'wrong';
  if (isBad && result.examples.length < EXAMPLES_MAX) {
    result.examples.push(`${verdict} ${check.key.toString('utf8')}`);
  }
}
