/**
 * One life of a shard, seen from the main thread: its thread, its control channel, and the links
 * that die with it. Nothing here decides anything.
 */
import { type MessagePort, Worker } from 'node:worker_threads';
import { type Channels, systemChannels } from '../rpc/channels.js';
import type { EngineOptions, FromShard, ShardBoot, ToShard } from '../rpc/control.js';
import { ThreadDoorbell } from '../rpc/doorbell.js';
import type { JobResult } from '../rpc/jobs.js';
import { allocateLink, type LinkMemory, type LinkSizes } from '../rpc/link.js';
import type { AnswerTo, ShardAnswer, ShardQuestion } from '../rpc/shard-operations.js';
import type { ArenaBorrower } from './arena-pool.js';
import type { JobClient } from './compaction-desk.js';
import { ShardQuestions } from './shard-questions.js';

/** The part of a Worker that is needed. `exit` comes last, after `error` if there is one. */
export interface ShardThread {
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (exitCode: number) => void): unknown;
  /** Resolves when the thread is gone. */
  terminate(): Promise<unknown>;
}

/** Starts a thread; the ports in `boot` are to be transferred. May throw. */
export type SpawnShard = (boot: ShardBoot) => ShardThread;

export interface ShardLifeOptions {
  engine: EngineOptions;
  epoch: number;
  slotMapEpoch: number;
  linkSizes: LinkSizes;
  /** One per router. */
  routerBells: SharedArrayBuffer[];
  stats: SharedArrayBuffer;
  distrustPageCache: boolean;
  /** See `ShardBoot`. */
  syncAlarm: SharedArrayBuffer;
  syncFailuresKnown: number;
  /** The system's if not given. */
  channels?: Channels | undefined;
}

export interface ShardLifeListener {
  message(message: FromShard): void;
  error(error: unknown): void;
  /** The last call; every message that the thread sent has been delivered. */
  exit(exitCode: number): void;
}

/** A link's memory and the router's end of its wake channel. */
export interface RouterLink {
  link: LinkMemory;
  wake: MessagePort;
}

export class ShardLife implements ArenaBorrower, JobClient {
  readonly shard: number;
  readonly epoch: number;
  readonly #options: ShardLifeOptions;
  readonly #channels: Channels;
  readonly #bell: ThreadDoorbell;
  readonly #links: LinkMemory[];
  readonly #shardWakes: MessagePort[] = [];
  #routerWakes: MessagePort[] = [];
  readonly #control: MessagePort;
  readonly #shardControl: MessagePort;
  #thread: ShardThread | undefined;
  readonly #questions = new ShardQuestions();
  #isGone = false;

  constructor(options: ShardLifeOptions) {
    this.shard = options.engine.shard;
    this.epoch = options.epoch;
    this.#options = options;
    this.#channels = options.channels ?? systemChannels;
    const shardBell = ThreadDoorbell.allocate();
    this.#bell = new ThreadDoorbell(shardBell);
    this.#links = options.routerBells.map((routerBell, router) => {
      const { shard, epoch } = this;
      const { slotMapEpoch, linkSizes } = options;
      const identity = { shard, router, epoch, slotMapEpoch, shardBell, routerBell };
      return allocateLink(linkSizes, identity);
    });
    for (const _ of this.#links) {
      const wake = this.#channels.open();
      this.#shardWakes.push(wake.port1);
      this.#routerWakes.push(wake.port2);
    }
    const control = this.#channels.open();
    this.#control = control.port1;
    this.#shardControl = control.port2;
  }

  /** Starts the thread. When it cannot be started, throws, and the life is over. */
  start(spawn: SpawnShard, arenas: SharedArrayBuffer[], listener: ShardLifeListener): void {
    const { engine, slotMapEpoch, stats, distrustPageCache } = this.#options;
    const { syncAlarm, syncFailuresKnown } = this.#options;
    try {
      this.#thread = spawn({
        engine,
        slotMapEpoch,
        links: this.#links,
        routerPorts: this.#shardWakes,
        control: this.#shardControl,
        stats,
        arenas,
        distrustPageCache,
        syncAlarm,
        syncFailuresKnown,
      });
    } catch (error) {
      this.#close();
      throw error;
    }
    this.#control.on('message', (message: FromShard) => listener.message(message));
    this.#thread.on('error', (error) => listener.error(error));
    this.#thread.on('exit', (exitCode) => this.#onExit(exitCode, listener));
  }

  /** What each router needs to reach this life, in the routers' order. Once per life. */
  takeRouterLinks(): RouterLink[] {
    const wakes = this.#routerWakes;
    this.#routerWakes = [];
    return wakes.flatMap((wake, router) => {
      const link = this.#links[router];
      return link === undefined ? [] : [{ link, wake }];
    });
  }

  stop(): void {
    this.#post({ kind: 'stop' });
  }

  /** Ends the thread wherever it is; resolves when it is gone. `exit` is reported as ever. */
  async terminate(): Promise<void> {
    await this.#thread?.terminate();
  }

  grantArena(arena: SharedArrayBuffer): void {
    this.#post({ kind: 'arena', arena });
  }

  /** Rejects with what it failed with, and with UNAVAILABLE when the life ends before. */
  ask<Q extends ShardQuestion>(question: Q): Promise<AnswerTo<Q>> {
    return this.#questions.ask(question, (message) => this.#post(message));
  }

  answered(id: number, answer: ShardAnswer): void {
    this.#questions.answered(id, answer);
  }

  jobDone(id: number, result: JobResult): void {
    this.#post({ kind: 'job-done', id, result });
  }

  #post(message: ToShard): void {
    if (this.#isGone) return;
    this.#control.postMessage(message);
    this.#bell.ring();
  }

  #onExit(exitCode: number, listener: ShardLifeListener): void {
    // The exit may overtake the thread's last words.
    for (;;) {
      const received = this.#channels.receive(this.#control);
      if (received === undefined) break;
      listener.message(received.message as FromShard);
    }
    this.#close();
    listener.exit(exitCode);
  }

  #close(): void {
    this.#isGone = true;
    this.#questions.close();
    this.#control.removeAllListeners('message');
    this.#control.close();
    for (const port of this.#routerWakes) port.close();
    this.#routerWakes = [];
  }
}

/** Starts the real thing: shard/worker.ts on a thread of its own. */
export function spawnShardWorker(boot: ShardBoot): ShardThread {
  return new Worker(new URL('../shard/worker.js', import.meta.url), {
    workerData: boot,
    transferList: [boot.control, ...boot.routerPorts],
    name: `shard-${boot.engine.shard}`,
  });
}
