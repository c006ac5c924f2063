/**
 * A chaos run, round by round: clients work → somewhere in their midst a fault, until all shards
 * serve again, and another one → clients stop → what was written is read back → the round's history
 * is judged. The end: everything is read and judged once more.
 */
import type { Clock } from '../base/clock.js';
import { messageOf, StormError } from '../base/errors.js';
import { Dice } from '../demo/dice.js';
import { Clients, type KeySpace } from './clients.js';
import { FaultDeck, type FaultKind, isKill } from './faults.js';
import type { History } from './history.js';
import { Judge, type Violation } from './judge.js';
import { probeKeys, untilAllServe } from './recovery.js';
import { Timeline } from './timeline.js';
import type { Victim } from './victim.js';

export interface ChaosOptions {
  readonly victim: Victim;
  /** The victim's lapses are told to it. */
  readonly history: History;
  readonly run: string;
  readonly keyPrefix: string;
  readonly seed: number;
  /** The run ends after so many kills, or after so long. */
  readonly kills: number;
  readonly durationMs: number;
  /** Of one round, which is one history. */
  readonly operations: number;
  /** One after the other in each history. */
  readonly faultsPerHistory: number;
  /** Only these faults; all that are possible if not given. */
  readonly only?: readonly FaultKind[] | undefined;
  readonly clients: number;
  readonly clock: Clock;
  sleep(ms: number): Promise<void>;
  /** True when the user has had enough: what was measured is still verified. */
  isInterrupted(): boolean;
  onView(view: ChaosView): void;
  onRound(view: ChaosView): void;
}

/** The run at this moment. */
export interface ChaosView {
  readonly phase: 'storm' | 'recovery' | 'read back' | 'judging';
  readonly round: number;
  readonly kills: number;
  readonly faults: number;
  /** Shards that have not answered since the fault. */
  readonly recovering: number;
  readonly violations: number;
  readonly operations: number;
  readonly timeline: Timeline;
}

export interface ChaosResult {
  readonly seed: number;
  readonly shards: number;
  readonly isInterrupted: boolean;
  readonly histories: number;
  readonly kills: number;
  readonly operations: number;
  /** Entries of writes that were acknowledged, each of them judged. */
  readonly acknowledged: number;
  readonly elapsedMs: number;
  readonly judgingMs: number;
  readonly timeline: Timeline;
  readonly violations: readonly Violation[];
}

const SERVE_MS_MAX = 60_000;
const VIEW_EVERY_MS = 200;
const FULL_READ_EVERY = 10;
const READERS = 64;

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  return new ChaosRun(options).run();
}

class ChaosRun {
  readonly #options: ChaosOptions;
  readonly #timeline: Timeline;
  readonly #judge = new Judge();
  readonly #clients: Clients;
  readonly #deck: FaultDeck;
  readonly #dice: Dice;
  readonly #startMs: number;
  readonly #probes: string[];
  #phase: ChaosView['phase'] = 'storm';
  #round = 0;
  #kills = 0;
  #recovering = 0;
  #judgingMs = 0;
  /** The server is lost: no more rounds. */
  #isDead = false;

  constructor(options: ChaosOptions) {
    this.#options = options;
    const { victim, history, run, keyPrefix, clock, sleep, seed, only } = options;
    this.#startMs = clock.monotonicMs();
    this.#timeline = new Timeline(this.#startMs);
    this.#dice = new Dice(seed, 'faults');
    const faults = victim.faults.filter((kind) => only === undefined || only.includes(kind));
    this.#deck = new FaultDeck(faults, new Dice(seed, 'deck'));
    const keys: KeySpace = { prefix: keyPrefix, hot: 64, cold: 4096, tags: 16, members: 4 };
    const meter = this.#timeline;
    const judge = this.#judge;
    this.#clients = new Clients({ run, keys, doors: victim, history, judge, meter, clock, sleep });
    this.#probes = probeKeys(keyPrefix, victim.shardCount);
  }

  async run(): Promise<ChaosResult> {
    const { victim, seed, clock, onView } = this.#options;
    let isOver = false;
    const ticking = this.#tick(() => isOver);
    try {
      while (!this.#isEnough()) await this.#oneRound();
      this.#phase = 'read back';
      if (!this.#isDead) await this.#readBack(this.#clients.allKeys);
    } catch (error) {
      this.#die(error);
    } finally {
      isOver = true;
    }
    this.#judgeWindow();
    await ticking;
    onView(this.#view());
    const { total } = this.#timeline;
    return {
      seed,
      shards: victim.shardCount,
      isInterrupted: this.#options.isInterrupted(),
      histories: this.#round,
      kills: this.#kills,
      operations: this.#judge.checked,
      acknowledged: total.writes,
      elapsedMs: clock.monotonicMs() - this.#startMs,
      judgingMs: this.#judgingMs,
      timeline: this.#timeline,
      violations: this.#judge.violations,
    };
  }

  #isEnough(): boolean {
    const { kills, durationMs, clock, isInterrupted } = this.#options;
    if (this.#isDead || isInterrupted() || this.#kills >= kills) return true;
    return clock.monotonicMs() - this.#startMs >= durationMs;
  }

  async #oneRound(): Promise<void> {
    const { history, operations, clients, seed, isInterrupted, onRound } = this.#options;
    this.#round++;
    this.#phase = 'storm';
    const due = this.#faultMoments();
    let fault: Promise<void> | undefined;
    const isOver = () => {
      const isLast = this.#isDead || isInterrupted();
      if (isLast) due.length = 0;
      const [moment] = due;
      if (fault === undefined && moment !== undefined && history.size >= moment) {
        due.shift();
        fault = this.#fault()
          .catch((error) => this.#die(error))
          .finally(() => {
            fault = undefined;
          });
      }
      if (fault !== undefined || due.length > 0) return false;
      return isLast || history.size >= operations;
    };
    const loops = Array.from({ length: clients }, (_, i) =>
      this.#clients.run(new Dice(seed, `client ${i} of round ${this.#round}`), isOver),
    );
    const ends = await Promise.allSettled(loops);
    for (const end of ends) if (end.status === 'rejected') this.#die(end.reason);
    if (this.#isDead) return;
    this.#phase = 'read back';
    const isFull = this.#round % FULL_READ_EVERY === 0;
    const touched = this.#clients.takeTouched();
    await this.#readBack(isFull ? this.#clients.allKeys : touched);
    this.#judgeWindow();
    onRound(this.#view());
  }

  /** Ascending sizes of the history. */
  #faultMoments(): number[] {
    const { operations, faultsPerHistory } = this.#options;
    const moments = Array.from(
      { length: faultsPerHistory },
      () => operations * (0.05 + 0.7 * this.#dice.float()),
    );
    return moments.sort((a, b) => a - b);
  }

  async #fault(): Promise<void> {
    const { victim, clock, sleep } = this.#options;
    const kind = this.#deck.draw();
    if (kind === undefined) return;
    await sleep(this.#dice.between(0, 30));
    const event = this.#timeline.began(kind, clock.monotonicMs());
    const startMs = clock.monotonicMs();
    this.#phase = 'recovery';
    this.#recovering = victim.shardCount;
    await victim.suffer(kind, this.#dice);
    if (isKill(kind)) this.#kills++;
    const areServing = await untilAllServe({
      doors: victim,
      keys: this.#probes,
      patienceMs: SERVE_MS_MAX,
      monotonicMs: clock.monotonicMs,
      sleep,
      onWaiting: (count) => {
        this.#recovering = count;
      },
    });
    if (areServing) event.recoveredMs = clock.monotonicMs() - startMs;
    else this.#judge.report('liveness', `${kind}: not all shards served within ${SERVE_MS_MAX} ms`);
    this.#phase = 'storm';
  }

  /** Reads become part of the history, and are judged with it. */
  async #readBack(keys: readonly string[]): Promise<void> {
    const queue = [...keys];
    const work = async () => {
      for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
        if (await this.#clients.readSurely(key, SERVE_MS_MAX)) continue;
        this.#judge.report('liveness', `${key} could not be read within ${SERVE_MS_MAX} ms`);
      }
    };
    await Promise.all(Array.from({ length: READERS }, work));
  }

  #judgeWindow(): void {
    const { clock, history } = this.#options;
    this.#phase = 'judging';
    const startMs = clock.monotonicMs();
    this.#judge.judge(history.take());
    this.#judgingMs += clock.monotonicMs() - startMs;
  }

  #die(error: unknown): void {
    if (this.#isDead) return;
    this.#isDead = true;
    const isDamage = error instanceof StormError && error.code === 'DATA_CORRUPTION';
    this.#judge.report(isDamage ? 'lost' : 'liveness', messageOf(error));
  }

  async #tick(isOver: () => boolean): Promise<void> {
    const { clock, sleep, onView } = this.#options;
    while (!isOver()) {
      this.#timeline.advance(clock.monotonicMs());
      onView(this.#view());
      await sleep(VIEW_EVERY_MS);
    }
  }

  #view(): ChaosView {
    return {
      phase: this.#phase,
      round: this.#round,
      kills: this.#kills,
      faults: this.#timeline.faults.length,
      recovering: this.#recovering,
      violations: this.#judge.violations.length,
      operations: this.#judge.checked + this.#options.history.size,
      timeline: this.#timeline,
    };
  }
}
