/**
 * A storm, in order: look whether the servers are there → load threads → storm, with a look at the
 * shards every second → settle → read back what must be there → result.
 *
 * For commands and for programs that measure: `runStorm(options, events)` does all of it and
 * touches nothing besides (no terminal, no file). It may be called again and again, one run at a
 * time or several; every run has threads of its own and ends them.
 */
import type { Clock } from '../base/clock.js';
import { StormError } from '../base/errors.js';
import { randomUint48, systemRandom } from '../base/random.js';
import { systemClock } from '../base/system-clock.js';
import { KvClient } from '../cli/kv-client.js';
import { openChannel } from '../client/channel.js';
import { systemClientTimers } from '../client/timers.js';
import { LoadThreads } from './load-threads.js';
import type { RunHistograms } from './meter.js';
import { ShardBalance } from './shard-balance.js';
import { planStorm, type StormOptions, type StormPlan } from './storm-options.js';
import { latencyOf, type StormResult } from './storm-result.js';
import { StormTimeline } from './storm-timeline.js';
import type { ThreadSetting } from './thread-messages.js';
import { SAMPLE_KEYS, type Verification } from './verify.js';

/** The storm as it is now; its parts live on and change. */
export interface StormView {
  readonly phase: 'storm' | 'settling' | 'reading back';
  readonly elapsedMs: number;
  readonly durationMs: number;
  readonly timeline: StormTimeline;
  readonly shards: ShardBalance;
  /** Keys read back, of so many. */
  readonly read: number;
  readonly toRead: number;
}

export interface StormEvents {
  /** About twice a second. */
  onView?(view: StormView): void;
  /** Once it answers true, no more submissions begin; the rest is settled and verified. */
  isInterrupted?(): boolean;
}

const CONNECT_MS_MAX = 5000;
const ATTEMPT_MS_MAX = 10_000;
const LOOK_EVERY_MS = 1000;
const VIEW_EVERY_MS = 500;

/** Rejects with INVALID_ARGUMENT, with UNAVAILABLE when a server is not there. */
export async function runStorm(
  options: StormOptions,
  events: StormEvents = {},
): Promise<StormResult> {
  const plan = planStorm(options);
  await Promise.all(options.targets.map(reach));
  return new StormRun(options, plan, events, systemClock).run();
}

async function reach(target: string): Promise<void> {
  const channel = openChannel(target, systemClock.wallMs);
  try {
    await channel.ready(CONNECT_MS_MAX);
  } catch (cause) {
    const text = `Cannot connect to ${target}: is the server running, and is this its gRPC address?`;
    throw new StormError('UNAVAILABLE', text, { cause });
  } finally {
    channel.close();
  }
}

class StormRun {
  readonly #options: StormOptions;
  readonly #plan: StormPlan;
  readonly #events: StormEvents;
  readonly #clock: Clock;
  readonly #timeline: StormTimeline;
  readonly #shards = new ShardBalance();
  readonly #admins: KvClient[];
  readonly #threads: LoadThreads;
  #phase: StormView['phase'] = 'storm';
  #startMs: number;
  #read = 0;
  #toRead = 0;
  #isInterrupted = false;
  #isOver = false;

  constructor(options: StormOptions, plan: StormPlan, events: StormEvents, clock: Clock) {
    this.#options = options;
    this.#plan = plan;
    this.#events = events;
    this.#clock = clock;
    this.#timeline = new StormTimeline(options.warmUpS * 1000, plan.durationMs);
    this.#startMs = clock.monotonicMs();
    this.#admins = options.targets.map(
      (target) => new KvClient(target, CONNECT_MS_MAX, clock.wallMs),
    );
    this.#threads = new LoadThreads(settingsOf(options, plan), {
      onInterval: (report) => this.#timeline.add(this.#nowMs, report),
      onRead: (keys) => {
        this.#read += keys;
      },
    });
  }

  get #nowMs(): number {
    return this.#clock.monotonicMs() - this.#startMs;
  }

  async run(): Promise<StormResult> {
    try {
      await this.#look();
      this.#startMs = this.#clock.monotonicMs();
      this.#every(LOOK_EVERY_MS, () => this.#look());
      this.#every(VIEW_EVERY_MS, async () => this.#watch());
      const { totals, checkCount } = await this.#threads.storm();
      const stormMs = this.#nowMs;
      await this.#look();
      const verifyStartMs = this.#nowMs;
      const verification = await this.#verify(checkCount);
      return this.#result(totals, stormMs, verification, this.#nowMs - verifyStartMs);
    } finally {
      this.#isOver = true;
      await this.#threads.end();
      for (const admin of this.#admins) admin.close();
    }
  }

  async #verify(checkCount: number): Promise<Verification | undefined> {
    const { verify, threads } = this.#options;
    if (verify === 'none') return undefined;
    const wanted = SAMPLE_KEYS * threads;
    const step = verify === 'all' ? 1 : Math.max(1, Math.ceil(checkCount / wanted));
    this.#phase = 'reading back';
    this.#toRead = Math.ceil(checkCount / step);
    return this.#threads.verify(step);
  }

  #watch(): void {
    const nowMs = this.#nowMs;
    if (this.#phase === 'storm') {
      if (!this.#isInterrupted && this.#events.isInterrupted?.() === true) {
        this.#isInterrupted = true;
        this.#threads.stop();
      }
      if (this.#isInterrupted || nowMs > this.#plan.durationMs) this.#phase = 'settling';
    }
    this.#events.onView?.({
      phase: this.#phase,
      elapsedMs: nowMs,
      durationMs: this.#plan.durationMs,
      timeline: this.#timeline,
      shards: this.#shards,
      read: this.#read,
      toRead: this.#toRead,
    });
  }

  /** A server that gives out no figures is no reason to fail. */
  async #look(): Promise<void> {
    const answers = this.#admins.map((admin) => admin.stats().catch(() => undefined));
    const servers = await Promise.all(answers);
    const nowMs = this.#nowMs;
    this.#shards.look(nowMs, servers);
    const { rates } = this.#shards;
    if (rates.length === 0 || this.#phase === 'reading back' || this.#isOver) return;
    this.#timeline.addShards(nowMs, Math.max(...rates), Math.min(...rates));
  }

  #every(ms: number, task: () => Promise<void>): void {
    systemClientTimers.after(ms, () => {
      if (this.#isOver) return;
      void task().then(() => this.#every(ms, task));
    });
  }

  #result(
    totals: RunHistograms,
    stormMs: number,
    verification: Verification | undefined,
    verifyMs: number,
  ): StormResult {
    const { options, plan } = { options: this.#options, plan: this.#plan };
    const measuredS = (Math.min(stormMs, plan.durationMs) - options.warmUpS * 1000) / 1000;
    return {
      options,
      sizes: plan.sizes,
      durationMs: plan.durationMs,
      stormMs,
      isInterrupted: this.#isInterrupted,
      totals: this.#timeline.totals,
      measured: {
        seconds: measuredS,
        entriesPerSecond: measuredS > 0 ? this.#timeline.measuredEntries / measuredS : 0,
      },
      writeLatency: latencyOf(totals.writes),
      readLatency: latencyOf(totals.reads),
      timeline: this.#timeline,
      shards: this.#shards.shares,
      verification,
      verifyMs,
    };
  }
}

function settingsOf(options: StormOptions, plan: StormPlan): ThreadSetting[] {
  const { profile, pace, seed, threads, targets, httpTargets, connections, door } = options;
  const run = randomUint48(systemRandom);
  const callers = pace.kind === 'callers' ? pace.count : 0;
  const timeoutMs = Math.min(ATTEMPT_MS_MAX, Math.max(1, options.patienceS * 1000));
  return Array.from({ length: threads }, (_, thread) => ({
    share: { profile, seed, run, thread, threads, submissions: plan.submissions },
    door: { door, targets, httpTargets, connections, timeoutMs },
    curve: plan.curve,
    callers: Math.floor(callers / threads) + (thread < callers % threads ? 1 : 0),
    durationMs: plan.durationMs,
    warmUpMs: options.warmUpS * 1000,
    patienceMs: options.patienceS * 1000,
  }));
}
