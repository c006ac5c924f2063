/**
 * The storm: all patients submit at once, at most so many at a time. An answer whose outcome is
 * unknown (the server was killed meanwhile) is sent again, same key and same value: harmless here,
 * because nobody else writes that key.
 */
import { StormError } from '../base/errors.js';
import { type Answer, answersOf } from './answers.js';
import type { DoorSource } from './door.js';
import type { Ledger } from './ledger.js';
import type { Questionnaire } from './questionnaire.js';

export interface Trial {
  form: Questionnaire;
  patientCount: number;
  seed: number;
}

export interface StormOptions {
  trial: Trial;
  ledger: Ledger;
  doors: DoorSource;
  /** Patients who submit at the same time; each sends all answers at once. */
  patientsAtOnce: number;
  /** An answer that is not acknowledged by then ends the storm with an error. */
  patienceMs: number;
  monotonicMs(): number;
  sleep(ms: number): Promise<void>;
  onAcknowledged(): void;
  onRetry(): void;
}

/** One patient in ten writes over HTTP. */
export const HTTP_SHARE = 10;
const RETRY_PAUSE_MS = 20;

/** Resolves when every answer is acknowledged. */
export async function runStorm(options: StormOptions): Promise<void> {
  const { form, patientCount, seed } = options.trial;
  await forEachAtOnce(patientCount, options.patientsAtOnce, async (patient) => {
    const answers = answersOf(form, patient, seed);
    await Promise.all(answers.map((answer) => submit(options, patient, answer)));
  });
}

async function submit(options: StormOptions, patient: number, answer: Answer): Promise<void> {
  const { ledger, doors, monotonicMs } = options;
  const endMs = monotonicMs() + options.patienceMs;
  for (;;) {
    const { grpc, http } = await doors.current();
    const door = patient % HTTP_SHARE === 0 ? http : grpc;
    ledger.submit(patient, answer.question);
    try {
      await door.put(answer.key, answer.value);
      ledger.acknowledge(patient, answer.question);
      options.onAcknowledged();
      return;
    } catch (error) {
      if (!isWorthARetry(error) || monotonicMs() > endMs) throw error;
      options.onRetry();
      await options.sleep(error.retryAfterMs ?? RETRY_PAUSE_MS);
    }
  }
}

/** Errors after which another attempt can succeed. */
export function isWorthARetry(error: unknown): error is StormError {
  if (!(error instanceof StormError)) return false;
  const { code } = error;
  // A connection that breaks in mid-call is reported as ABORTED or INTERNAL too.
  return (
    code === 'UNAVAILABLE' ||
    code === 'RESOURCE_EXHAUSTED' ||
    code === 'DEADLINE_EXCEEDED' ||
    code === 'WRONG_SHARD' ||
    code === 'ABORTED' ||
    code === 'INTERNAL'
  );
}

/** Calls `body` with 0 … count − 1, at most `width` at a time. The first failure ends it. */
export async function forEachAtOnce(
  count: number,
  width: number,
  body: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let isFailed = false;
  const lane = async () => {
    while (next < count && !isFailed) {
      const index = next++;
      try {
        await body(index);
      } catch (error) {
        isFailed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}
