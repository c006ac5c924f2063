/**
 * Reads everything back and holds it against the ledger. Who wrote over HTTP is read over gRPC, and
 * as many of the others are read over HTTP.
 */
import { answersOf } from './answers.js';
import type { DoorSource } from './door.js';
import type { Ledger } from './ledger.js';
import { forEachAtOnce, HTTP_SHARE, isWorthARetry, type Trial } from './storm.js';

export interface ReadBackOptions {
  trial: Trial;
  ledger: Ledger;
  doors: DoorSource;
  patientsAtOnce: number;
  patienceMs: number;
  monotonicMs(): number;
  sleep(ms: number): Promise<void>;
  onRead(): void;
}

export interface ReadBack {
  /** Acknowledged and there, byte for byte. */
  found: number;
  /** Acknowledged and not there. */
  lost: number;
  /** There with another value than the one that was sent. */
  wrong: number;
  /** Sent, never acknowledged, and there all the same; no fault. */
  unacknowledgedFound: number;
  /** Keys of the first few that are lost or wrong. */
  examples: string[];
}

const EXAMPLES_MAX = 5;
const RETRY_PAUSE_MS = 50;

export async function readBack(options: ReadBackOptions): Promise<ReadBack> {
  const { trial, ledger } = options;
  const result: ReadBack = { found: 0, lost: 0, wrong: 0, unacknowledgedFound: 0, examples: [] };
  await forEachAtOnce(trial.patientCount, options.patientsAtOnce, async (patient) => {
    const answers = answersOf(trial.form, patient, trial.seed);
    const read = answers.map(async ({ key, value, question }) => {
      const stored = await readOne(options, patient, key);
      const isAcknowledged = ledger.isAcknowledged(patient, question);
      const verdict = judge(stored, value, isAcknowledged);
      if (verdict !== undefined) result[verdict]++;
      if (verdict === 'lost' || verdict === 'wrong') addExample(result.examples, verdict, key);
      options.onRead();
    });
    await Promise.all(read);
  });
  return result;
}

type Verdict = 'found' | 'lost' | 'wrong' | 'unacknowledgedFound';

/** Undefined = not acknowledged and not there, which is as it may be. */
export function judge(
  stored: Buffer | undefined,
  sent: Buffer,
  isAcknowledged: boolean,
): Verdict | undefined {
  if (stored === undefined) return isAcknowledged ? 'lost' : undefined;
  if (!stored.equals(sent)) return 'wrong';
  return isAcknowledged ? 'found' : 'unacknowledgedFound';
}

async function readOne(
  options: ReadBackOptions,
  patient: number,
  key: string,
): Promise<Buffer | undefined> {
  const endMs = options.monotonicMs() + options.patienceMs;
  for (;;) {
    const { grpc, http } = await options.doors.current();
    const isHttp = patient % HTTP_SHARE === HTTP_SHARE / 2;
    try {
      return await (isHttp ? http : grpc).get(key);
    } catch (error) {
      if (!isWorthARetry(error) || options.monotonicMs() > endMs) throw error;
      await options.sleep(error.retryAfterMs ?? RETRY_PAUSE_MS);
    }
  }
}

function addExample(examples: string[], verdict: Verdict, key: string): void {
  if (examples.length < EXAMPLES_MAX) examples.push(`${verdict} ${key}`);
}
