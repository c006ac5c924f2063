/**
 * Keeps one shard alive: turns what happens to its thread into events, asks shard-state.ts what
 * they mean, and carries the actions out in order. Main thread only.
 */
import { unreachable } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { messageOf, StormError } from '../base/errors.js';
import type { ShardSituation } from '../rpc/admin-operations.js';
import type { Channels } from '../rpc/channels.js';
import type { EngineOptions, FromShard } from '../rpc/control.js';
import type { LinkSizes } from '../rpc/link.js';
import type { AnswerTo, ShardQuestion } from '../rpc/shard-operations.js';
import { ShardStats, type StatName } from '../rpc/shard-stats.js';
import { SyncAlarm } from '../rpc/sync-alarm.js';
import type { ArenaPool } from './arena-pool.js';
import type { CompactionDesk } from './compaction-desk.js';
import { Heartbeat, lookEveryMs } from './heartbeat.js';
import type { Log, LogFields, LogLevel } from './log.js';
import { type RouterLink, ShardLife, type SpawnShard } from './shard-life.js';
import {
  INITIAL_STATE,
  next,
  type ShardAction,
  type ShardEvent,
  type ShardPolicy,
  type ShardState,
} from './shard-state.js';
import type { Timers } from './timers.js';

/** All routers, as far as a shard's keeper is concerned. */
export interface RouterBoard {
  shardUp(shard: number, links: RouterLink[]): void;
  shardDown(shard: number, reason: string): void;
  shardRefused(shard: number, reason: string): void;
}

export interface ShardKeeperOptions {
  engine: EngineOptions;
  slotMapEpoch: number;
  linkSizes: LinkSizes;
  /** The shard's counters; made here if not given. */
  stats?: SharedArrayBuffer | undefined;
  routerBells: SharedArrayBuffer[];
  policy: ShardPolicy & { heartbeatMsMax: number };
  routers: RouterBoard;
  arenas: ArenaPool;
  desk: CompactionDesk;
  spawn: SpawnShard;
  clock: Clock;
  timers: Timers;
  log: Log;
  onChange: (shard: number, state: ShardState) => void;
  /** The system's if not given. */
  channels?: Channels | undefined;
}

export class ShardKeeper {
  readonly shard: number;
  readonly #options: ShardKeeperOptions;
  readonly #stats: SharedArrayBuffer;
  readonly #heartbeat = new Heartbeat();
  readonly #syncAlarm = new SyncAlarm(SyncAlarm.allocate());
  /** Failed syncs of the folder: when the present life began, and when the last good one did. */
  #syncFailuresKnown = 0;
  #syncFailuresHandled = 0;
  #state = INITIAL_STATE;
  #life: ShardLife | undefined;
  #recoveredRecords = 0;
  #recoveries = 0;
  #recoveryMs = 0;
  readonly #events: ShardEvent[] = [];
  #isHandling = false;
  #cancelTimer: () => void = () => {};
  readonly #cancelLooks: () => void;

  constructor(options: ShardKeeperOptions) {
    this.shard = options.engine.shard;
    this.#options = options;
    this.#stats = options.stats ?? ShardStats.allocate();
    const everyMs = lookEveryMs(options.policy.heartbeatMsMax);
    this.#cancelLooks = options.timers.every(everyMs, () => this.#look());
  }

  get state(): ShardState {
    return this.#state;
  }

  /** Records that the current or last life replayed. */
  get recoveredRecords(): number {
    return this.#recoveredRecords;
  }

  /** A snapshot of the shard's counters; they go on through its lives. */
  stats(): Record<StatName, number> {
    return new ShardStats(this.#stats).all();
  }

  situation(): ShardSituation {
    const { phase, epoch, reason } = this.#state;
    return {
      shard: this.shard,
      state: phase,
      reason,
      epoch,
      recoveries: this.#recoveries,
      recoveryMs: this.#recoveryMs,
      recoveredRecords: this.#recoveredRecords,
      counters: this.stats(),
    };
  }

  start(): void {
    this.#handle({ kind: 'start' });
  }

  /** Seals the shard and ends it, by force after `deadlineMs`; `onChange` reports `stopped`. */
  stop(deadlineMs: number): void {
    this.#cancelLooks();
    this.#handle({ kind: 'stop', deadlineMs });
  }

  /** Rejects with FAILED_PRECONDITION or UNAVAILABLE when the shard does not serve. */
  ask<Q extends ShardQuestion>(question: Q): Promise<AnswerTo<Q>> {
    const { phase, reason } = this.#state;
    if (phase === 'serving' && this.#life !== undefined) return this.#life.ask(question);
    const code = phase === 'refused' ? 'FAILED_PRECONDITION' : 'UNAVAILABLE';
    const why = reason === '' ? '' : `: ${reason}`;
    return Promise.reject(new StormError(code, `Shard ${this.shard} is ${phase}${why}`));
  }

  /** For chaos tests: ends the thread wherever it is; resolves when it is gone. */
  async kill(): Promise<void> {
    await this.#life?.terminate();
  }

  /** A router found a channel of that life broken. */
  reportDamage(epoch: number, message: string): void {
    if (epoch === this.#life?.epoch) this.#handle({ kind: 'stalled', message });
  }

  /** One event at a time: an action may cause the next. */
  #handle(event: ShardEvent): void {
    this.#events.push(event);
    if (this.#isHandling) return;
    this.#isHandling = true;
    for (let e = this.#events.shift(); e !== undefined; e = this.#events.shift()) this.#apply(e);
    this.#isHandling = false;
  }

  #apply(event: ShardEvent): void {
    const { clock, policy, onChange } = this.#options;
    const before = this.#state;
    const { state, actions } = next(before, event, clock.monotonicMs(), policy);
    this.#state = state;
    for (const action of actions) this.#act(action);
    if (state.phase === before.phase && state.epoch === before.epoch) return;
    this.#logChange(state);
    if (state.phase === 'stopped') this.#cancelLooks();
    onChange(this.shard, state);
  }

  #act(action: ShardAction): void {
    const { routers } = this.#options;
    switch (action.kind) {
      case 'spawn':
        this.#spawn(action.epoch, action.distrustPageCache);
        return;
      case 'routers-up':
        routers.shardUp(this.shard, this.#life?.takeRouterLinks() ?? []);
        return;
      case 'routers-down':
        routers.shardDown(this.shard, action.reason);
        return;
      case 'routers-refused':
        routers.shardRefused(this.shard, action.reason);
        return;
      case 'terminate':
        this.#terminate();
        return;
      case 'send-stop':
        this.#life?.stop();
        return;
      case 'release-life':
        this.#releaseLife();
        return;
      case 'timer':
        this.#cancelTimer();
        this.#cancelTimer = this.#options.timers.after(action.ms, () =>
          this.#handle({ kind: 'timer' }),
        );
        return;
      case 'cancel-timer':
        this.#cancelTimer();
        return;
      default:
        unreachable(action, 'shard action');
    }
  }

  #spawn(epoch: number, distrust: boolean): void {
    // A life may die between a failed sync and its word of it.
    this.#syncFailuresKnown = this.#syncAlarm.failures;
    const distrustPageCache = distrust || this.#syncFailuresKnown !== this.#syncFailuresHandled;
    const { engine, slotMapEpoch, linkSizes, routerBells, spawn, arenas, channels } = this.#options;
    const stats = this.#stats;
    const life = new ShardLife({
      engine,
      epoch,
      slotMapEpoch,
      linkSizes,
      routerBells,
      stats,
      distrustPageCache,
      syncAlarm: this.#syncAlarm.memory,
      syncFailuresKnown: this.#syncFailuresKnown,
      channels,
    });
    this.#life = life;
    this.#heartbeat.reset();
    try {
      life.start(spawn, arenas.lendFirst(life), {
        message: (message) => this.#onMessage(life, message),
        error: (error) => this.#handle({ kind: 'failed', message: messageOf(error) }),
        exit: (exitCode) => this.#handle({ kind: 'exited', exitCode }),
      });
    } catch (error) {
      this.#handle({ kind: 'failed', message: `no thread: ${messageOf(error)}` });
      this.#handle({ kind: 'exited', exitCode: 1 });
    }
  }

  #terminate(): void {
    this.#log('warn', 'The shard thread is terminated');
    this.#life?.terminate().catch((error: unknown) => {
      this.#log('error', 'The shard thread cannot be terminated', { error: messageOf(error) });
    });
  }

  /** What its running jobs still read comes back to the pool when they end. */
  #releaseLife(): void {
    if (this.#life === undefined) return;
    this.#options.desk.drop(this.#life);
    this.#options.arenas.reclaim(this.#life);
    this.#life = undefined;
  }

  #onMessage(life: ShardLife, message: FromShard): void {
    switch (message.kind) {
      case 'ready':
        this.#recoveredRecords = message.recoveredRecords;
        this.#recoveries++;
        this.#recoveryMs = message.recoveryMs;
        this.#syncFailuresHandled = this.#syncFailuresKnown;
        this.#handle({ kind: 'ready' });
        return;
      case 'refused':
      case 'poisoned':
        this.#handle(message);
        return;
      case 'job':
        this.#options.desk.submit(life, message.id, message.job);
        return;
      case 'answer':
        life.answered(message.id, message.answer);
        return;
      case 'arena-wanted':
        this.#options.arenas.want(life);
        return;
      case 'arena-back':
        if (!this.#options.arenas.giveBack(life, message.arena)) {
          this.#log('debug', 'An arena that was never lent was handed back and dropped');
        }
        return;
      case 'stopped':
        return;
      case 'log':
        this.#log(message.level, message.message, message.fields);
        return;
      default:
        unreachable(message, 'message of a shard');
    }
  }

  #look(): void {
    // Recovery takes as long as it takes, in one turn.
    if (this.#state.phase !== 'serving') {
      this.#heartbeat.reset();
      return;
    }
    if (!this.#heartbeat.look(new ShardStats(this.#stats).get('turns'))) return;
    const ms = this.#options.policy.heartbeatMsMax;
    const message = `it took no turn for ${ms} ms (supervision.heartbeatMsMax)`;
    this.#handle({ kind: 'stalled', message });
  }

  #logChange({ phase, epoch, reason }: ShardState): void {
    const isDown = ['ending', 'waiting', 'refused'].includes(phase);
    const level = isDown || (phase === 'recovering' && reason !== '') ? 'error' : 'info';
    this.#log(level, `The shard is ${phase}`, { epoch, ...(reason === '' ? {} : { reason }) });
  }

  #log(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.#options.log.write(level, message, { component: 'shard', shard: this.shard, ...fields });
  }
}
