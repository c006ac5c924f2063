/**
 * The demo, in order: start a server → storm, with kills in its midst → stop in order, start again
 * → read everything back → report.
 *
 * A kill is due when a random, seeded number of answers is acknowledged, and comes a few random
 * milliseconds later, so that it hits any moment of a group commit.
 */
import { answersOf } from './answers.js';
import { Dice } from './dice.js';
import { Ledger } from './ledger.js';
import type { Progress } from './progress.js';
import { readBack } from './read-back.js';
import type { DemoReport, Kill } from './report.js';
import type { ServerSession } from './server-session.js';
import { runStorm, type Trial } from './storm.js';

export interface DemoOptions {
  trial: Trial;
  killCount: number;
  session: ServerSession;
  progress: Progress;
  monotonicMs(): number;
  sleep(ms: number): Promise<void>;
}

const PATIENTS_AT_ONCE = 64;
const PATIENCE_MS = 60_000;
const KILL_DELAY_MS_MAX = 30;

/** Rejects when the storm cannot be brought to its end. The session stays open. */
export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const { trial, session, progress, monotonicMs, sleep } = options;
  const { form, patientCount, seed } = trial;
  const ledger = new Ledger(patientCount, form.questions.length);
  const shared = { trial, ledger, doors: session, monotonicMs, sleep };
  const limits = { patientsAtOnce: PATIENTS_AT_ONCE, patienceMs: PATIENCE_MS };
  await session.start();

  const total = plannedAnswers(trial);
  const killer = new Killer(options, ledger, killMoments(total, options.killCount, seed));
  let retries = 0;
  const stormStartMs = monotonicMs();
  progress.begin('storm', total);
  await runStorm({
    ...shared,
    ...limits,
    onAcknowledged() {
      progress.advance();
      killer.look();
    },
    onRetry: () => void retries++,
  });
  await killer.finish();
  progress.end();
  const stormMs = monotonicMs() - stormStartMs;

  await session.restart('SIGTERM');
  progress.say('stopped in order (SIGTERM) and started again');
  const readStartMs = monotonicMs();
  progress.begin('read back', total);
  const result = await readBack({ ...shared, ...limits, onRead: () => progress.advance() });
  progress.end();
  return {
    ...result,
    title: form.title,
    questions: form.questions.length,
    patients: patientCount,
    shards: session.shardCount,
    seed,
    submitted: ledger.submittedCount,
    acknowledged: ledger.acknowledgedCount,
    retries,
    kills: killer.kills,
    stormMs,
    readMs: monotonicMs() - readStartMs,
  };
}

function plannedAnswers({ form, patientCount, seed }: Trial): number {
  let total = 0;
  for (let i = 0; i < patientCount; i++) total += answersOf(form, i, seed).length;
  return total;
}

/** Ascending numbers of acknowledged answers, away from both ends of the storm. */
export function killMoments(total: number, count: number, seed: number): number[] {
  const dice = new Dice(seed, 'kills');
  const moments = Array.from({ length: count }, () =>
    Math.floor(total * (0.05 + 0.85 * dice.float())),
  );
  return moments.sort((a, b) => a - b);
}

class Killer {
  readonly kills: Kill[] = [];
  readonly #options: DemoOptions;
  readonly #ledger: Ledger;
  readonly #moments: number[];
  readonly #dice: Dice;
  #running: Promise<void> | undefined;

  constructor(options: DemoOptions, ledger: Ledger, moments: number[]) {
    this.#options = options;
    this.#ledger = ledger;
    this.#moments = moments;
    this.#dice = new Dice(options.trial.seed, 'kill delays');
  }

  /** Kills if it is time; never waits. */
  look(): void {
    const [moment] = this.#moments;
    if (moment === undefined || this.#running !== undefined) return;
    if (this.#ledger.acknowledgedCount < moment) return;
    this.#moments.shift();
    this.#running = this.#kill().then(
      () => {
        this.#running = undefined;
      },
      // Keeps `running` set: no more kills. The storm meets the session's failure by itself.
      () => {},
    );
  }

  /** Waits for a kill in progress, and makes those that a short storm left over. */
  async finish(): Promise<void> {
    await this.#running;
    while (this.#moments.shift() !== undefined) await this.#kill();
  }

  async #kill(): Promise<void> {
    const { session, progress, sleep } = this.#options;
    await sleep(this.#dice.between(0, KILL_DELAY_MS_MAX));
    const acknowledged = this.#ledger.acknowledgedCount;
    const recovery = await session.restart('SIGKILL');
    this.kills.push({ acknowledged, recovery });
    const downMs = Math.round(recovery.downMs);
    progress.say(
      `kill ${this.kills.length}: after ${acknowledged} acknowledged; ` +
        `ready again in ${downMs} ms, ${recovery.recoveredRecords} records recovered`,
    );
  }
}
