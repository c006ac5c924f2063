/**
 * The router threads, seen from the main thread. They are never restarted and never terminated
 * (ending a thread in the middle of HTTP/2 can abort the whole process): one that dies unasked is
 * fatal, and a restart of the process recovers.
 */
import { type MessagePort, Worker } from 'node:worker_threads';
import { unreachable } from '../base/assert.js';
import { messageOf, StormError } from '../base/errors.js';
import type { AdminAnswer, AdminQuestion, RouterSituation } from '../rpc/admin-operations.js';
import type { AuditRecord } from '../rpc/audit.js';
import { type Channels, systemChannels } from '../rpc/channels.js';
import type { FromRouter, RouterBoot, ToRouter } from '../rpc/control.js';
import { RouterStats } from '../rpc/router-stats.js';
import type { Log, LogFields, LogLevel } from './log.js';
import type { RouterBoard } from './shard-keeper.js';
import type { RouterLink } from './shard-life.js';

/** The part of a Worker that is needed. */
export interface RouterThread {
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (exitCode: number) => void): unknown;
  unref(): void;
}

/** Starts a thread; the port in `boot` is to be transferred. May throw. */
export type SpawnRouter = (boot: RouterBoot) => RouterThread;

export interface RouterAddresses {
  grpcAddress: string;
  httpAddress: string;
}

export interface RouterKeeperOptions {
  boot: Omit<RouterBoot, 'control' | 'stats'>;
  spawn: SpawnRouter;
  log: Log;
  /** A router died unasked; the process can only end. */
  onFatal: (message: string) => void;
  /** A channel to that life of a shard is broken. */
  onDamage: (shard: number, epoch: number, message: string) => void;
  onAudit: (record: AuditRecord, router: number) => void;
  /** An operator asks; must not reject. */
  onAsk: (question: AdminQuestion) => Promise<AdminAnswer>;
  /** The system's if not given. */
  channels?: Channels | undefined;
}

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

export class RouterKeeper {
  readonly #options: RouterKeeperOptions;
  readonly #channels: Channels;
  readonly #control: MessagePort;
  readonly #routerControl: MessagePort;
  readonly #stats = RouterStats.allocate();
  #thread: RouterThread | undefined;
  #phase: 'starting' | 'running' | 'draining' | 'gone' = 'starting';
  #starter: Waiter<RouterAddresses> | undefined;
  #drained = false;
  #onGone: () => void = () => {};

  constructor(options: RouterKeeperOptions) {
    this.#options = options;
    this.#channels = options.channels ?? systemChannels;
    const control = this.#channels.open();
    this.#control = control.port1;
    this.#routerControl = control.port2;
  }

  situation(): RouterSituation {
    const stats = new RouterStats(this.#stats);
    return {
      router: this.#options.boot.router,
      draining: stats.get('draining') !== 0,
      inFlight: stats.get('inFlight'),
    };
  }

  /** Resolves when its doors listen; rejects with why they cannot. */
  start(): Promise<RouterAddresses> {
    const { boot, spawn } = this.#options;
    return new Promise((resolve, reject) => {
      this.#starter = { resolve, reject };
      try {
        this.#thread = spawn({ ...boot, stats: this.#stats, control: this.#routerControl });
      } catch (error) {
        this.#onExit(`no thread: ${messageOf(error)}`);
        return;
      }
      this.#control.on('message', (message: FromRouter) => this.#onMessage(message));
      let reason: string | undefined;
      this.#thread.on('error', (error) => {
        reason = messageOf(error);
      });
      this.#thread.on('exit', (exitCode) => {
        this.#readLastWords();
        this.#onExit(reason ?? `its thread exited (code ${exitCode})`);
      });
    });
  }

  /** Messages to a router that is gone are dropped; those to one that starts wait for it. */
  send(message: ToRouter, transfer: MessagePort[] = []): void {
    if (this.#phase !== 'gone') this.#control.postMessage(message, transfer);
  }

  /**
   * Goes on for `delayMs` but says not ready, closes the doors, answers what is in flight within
   * `deadlineMs`, ends the thread. Resolves when it is gone; false when it did not end in order, or
   * not before `giveUp` resolved (from then on it does not keep the process alive).
   */
  drain(delayMs: number, deadlineMs: number, giveUp: Promise<void>): Promise<boolean> {
    if (this.#phase === 'gone' || this.#thread === undefined) {
      this.#closeControl();
      return Promise.resolve(true);
    }
    this.#phase = 'draining';
    this.send({ kind: 'drain', delayMs, deadlineMs });
    const gone = new Promise<boolean>((resolve) => {
      this.#onGone = () => resolve(this.#drained);
    });
    const late = giveUp.then(() => {
      this.#thread?.unref();
      this.#closeControl();
      return false;
    });
    return Promise.race([gone, late]);
  }

  #onMessage(message: FromRouter): void {
    switch (message.kind) {
      case 'listening':
        if (this.#phase === 'starting') this.#phase = 'running';
        this.#starter?.resolve(message);
        return;
      case 'failed':
        this.#starter?.reject(new StormError('UNAVAILABLE', message.message));
        return;
      case 'drained':
        this.#drained = true;
        return;
      case 'damaged':
        this.#log('error', message.message, { shard: message.shard });
        this.#options.onDamage(message.shard, message.epoch, message.message);
        return;
      case 'audit':
        this.#options.onAudit(message.record, this.#options.boot.router);
        return;
      case 'ask':
        void this.#answer(message.id, message.question);
        return;
      case 'log':
        this.#log(message.level, message.message, message.fields);
        return;
      default:
        unreachable(message, 'message of a router');
    }
  }

  async #answer(id: number, question: AdminQuestion): Promise<void> {
    const answer = await this.#options.onAsk(question);
    this.send({ kind: 'answer', id, answer });
  }

  #readLastWords(): void {
    for (;;) {
      const received = this.#channels.receive(this.#control);
      if (received === undefined) return;
      this.#onMessage(received.message as FromRouter);
    }
  }

  #onExit(reason: string): void {
    const { boot, onFatal } = this.#options;
    const phase = this.#phase;
    this.#phase = 'gone';
    this.#closeControl();
    this.#starter?.reject(new StormError('INTERNAL', `Router ${boot.router} died: ${reason}`));
    this.#onGone();
    if (phase === 'running') onFatal(`Router ${boot.router} died: ${reason}`);
  }

  #closeControl(): void {
    this.#control.removeAllListeners('message');
    this.#control.close();
  }

  #log(level: LogLevel, message: string, fields: LogFields): void {
    const { router } = this.#options.boot;
    this.#options.log.write(level, message, { component: 'router', router, ...fields });
  }
}

/** Tells every router what becomes of the shards. */
export class RouterGroup implements RouterBoard {
  readonly #keepers: readonly RouterKeeper[];

  constructor(keepers: readonly RouterKeeper[]) {
    this.#keepers = keepers;
  }

  shardUp(shard: number, links: RouterLink[]): void {
    this.#keepers.forEach((keeper, router) => {
      const own = links[router];
      if (own === undefined) return;
      keeper.send({ kind: 'shard-up', shard, link: own.link, wake: own.wake }, [own.wake]);
    });
  }

  shardDown(shard: number, reason: string): void {
    for (const keeper of this.#keepers) keeper.send({ kind: 'shard-down', shard, reason });
  }

  shardRefused(shard: number, reason: string): void {
    for (const keeper of this.#keepers) keeper.send({ kind: 'shard-refused', shard, reason });
  }
}

/** Starts the real thing: router/worker.ts on a thread of its own. */
export function spawnRouterWorker(boot: RouterBoot): RouterThread {
  return new Worker(new URL('../router/worker.js', import.meta.url), {
    workerData: boot,
    transferList: [boot.control],
    name: `router-${boot.router}`,
  });
}
