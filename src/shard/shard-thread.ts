/**
 * The thread around a shard actor: takes turns, parks on the doorbell when there is nothing to do,
 * reads the control port, and yields to the event loop now and then. Yielding matters: memory maps
 * of dropped tables are released by callbacks that only the loop runs.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { messageOf, StormError, systemCodeOf } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { systemClock } from '../base/system-clock.js';
import type { FromShard, ShardBoot, ToShard } from '../rpc/control.js';
import { ThreadDoorbell } from '../rpc/doorbell.js';
import type { Job, JobResult } from '../rpc/jobs.js';
import { ShardEnd } from '../rpc/link.js';
import { ShardStats } from '../rpc/shard-stats.js';
import { nodeFileSystem } from '../storage/node-file-system.js';
import { Engine } from './engine.js';
import type { ArenaPort, JobPort } from './engine-env.js';
import { ShardActor } from './shard-actor.js';

const PARK_MS_MAX = 50;
/** The event loop gets a turn at least this often, even under full load. */
const YIELD_MS = 50;
const FIGURES_MS = 100;

export class ShardThread {
  readonly #boot: ShardBoot;
  readonly #control: MessagePort;
  readonly #bell: ThreadDoorbell;
  readonly #jobs: RemoteJobs;
  readonly #arenas: LentArenas;
  readonly #stats: ShardStats;
  #engine: Engine | undefined;
  #actor: ShardActor | undefined;
  #startedMs = 0;
  #isReady = false;
  #stopping = false;
  #figuresDueMs = 0;

  constructor(boot: ShardBoot) {
    this.#boot = boot;
    this.#control = boot.control;
    const bell = boot.links[0]?.shardBell;
    if (bell === undefined) throw new StormError('INTERNAL', 'A shard needs at least one link');
    this.#bell = new ThreadDoorbell(bell);
    this.#jobs = new RemoteJobs(boot.control);
    this.#arenas = new LentArenas(boot.control, boot.arenas);
    this.#stats = new ShardStats(boot.stats);
  }

  /** Recovers and starts turning; reports `refused` and ends the thread when it cannot. */
  start(): void {
    // A referenced port keeps the thread alive between turns.
    this.#control.ref();
    this.#startedMs = systemClock.monotonicMs();
    try {
      this.#open();
    } catch (error) {
      this.#post({ kind: 'refused', code: codeOf(error), message: messageOf(error) });
      this.#end();
      return;
    }
    setImmediate(() => this.#loop());
  }

  #open(): void {
    const { engine: options, distrustPageCache, links, routerPorts, slotMapEpoch } = this.#boot;
    this.#engine = Engine.open(
      {
        fs: nodeFileSystem,
        clock: systemClock,
        random: systemRandom,
        jobs: this.#jobs,
        arenas: this.#arenas,
      },
      options,
      distrustPageCache,
    );
    const ends = links.map((link, i) => {
      const port = routerPorts[i];
      if (port === undefined) throw new StormError('INTERNAL', `Link ${i} has no wake port`);
      return new ShardEnd(link, port);
    });
    this.#actor = new ShardActor(this.#engine, ends, { stats: this.#stats, slotMapEpoch });
  }

  #loop(): void {
    const engine = this.#engine;
    const actor = this.#actor;
    if (engine === undefined || actor === undefined) return;
    const yieldAt = systemClock.monotonicMs() + YIELD_MS;
    for (let now = 0; now < yieldAt; now = systemClock.monotonicMs()) {
      const seen = this.#bell.prepare();
      this.#receive();
      this.#reportReady(engine);
      if (this.#stopping) {
        this.#stop(actor);
        return;
      }
      const turn = actor.turn();
      if (turn.kind === 'poisoned') {
        this.#post({ kind: 'poisoned', message: turn.message });
        this.#end();
        return;
      }
      if (engine.takeReleasedTables()) {
        collectGarbage();
        break;
      }
      if (turn.kind === 'until') this.#park(seen, turn.ms);
    }
    this.#publish(actor);
    setImmediate(() => this.#loop());
  }

  #park(seen: number, dueMs: number): void {
    const wait = Math.min(PARK_MS_MAX, dueMs - systemClock.monotonicMs());
    if (wait > 0) this.#bell.wait(seen, wait);
  }

  #publish(actor: ShardActor): void {
    const now = systemClock.monotonicMs();
    if (now < this.#figuresDueMs) return;
    this.#figuresDueMs = now + FIGURES_MS;
    actor.publishFigures();
  }

  #reportReady(engine: Engine): void {
    if (this.#isReady || !engine.replayIsSafe) return;
    this.#isReady = true;
    const recoveryMs = systemClock.monotonicMs() - this.#startedMs;
    const { records: recoveredRecords, lastSequence } = engine.report;
    this.#post({ kind: 'ready', recoveredRecords, recoveryMs, lastSequence });
  }

  #receive(): void {
    for (;;) {
      const received: { message: ToShard } | undefined = receiveMessageOnPort(this.#control);
      if (received === undefined) return;
      const { message } = received;
      if (message.kind === 'job-done') this.#jobs.finish(message.id, message.result);
      else if (message.kind === 'arena') this.#arenas.add(message.arena);
      else this.#stopping = true;
    }
  }

  #stop(actor: ShardActor): void {
    try {
      actor.stop();
    } catch (error) {
      this.#post({ kind: 'poisoned', message: messageOf(error) });
    }
    this.#post({ kind: 'stopped' });
    this.#end();
  }

  #post(message: FromShard): void {
    this.#control.postMessage(message);
  }

  /** With every port closed nothing keeps the thread alive. */
  #end(): void {
    this.#control.close();
    for (const port of this.#boot.routerPorts) port.close();
  }
}

/** Jobs by message: to the supervisor, and back on the control port. */
class RemoteJobs implements JobPort {
  readonly #control: MessagePort;
  readonly #waiting = new Map<number, (result: JobResult) => void>();
  #nextId = 1;

  constructor(control: MessagePort) {
    this.#control = control;
  }

  submit(job: Job, done: (result: JobResult) => void): void {
    const id = this.#nextId++;
    this.#waiting.set(id, done);
    const message: FromShard = { kind: 'job', id, job };
    this.#control.postMessage(message);
  }

  finish(id: number, result: JobResult): void {
    const done = this.#waiting.get(id);
    this.#waiting.delete(id);
    done?.(result);
  }
}

/** Arenas lent by the supervisor. One is kept at hand if possible, so that freezing never waits. */
class LentArenas implements ArenaPort {
  readonly #control: MessagePort;
  readonly #atHand: SharedArrayBuffer[];
  readonly #lent = new Set<SharedArrayBuffer>();
  #asked = 0;

  constructor(control: MessagePort, arenas: SharedArrayBuffer[]) {
    this.#control = control;
    this.#atHand = [...arenas];
  }

  get atHand(): boolean {
    if (this.#atHand.length === 0) this.#ask();
    return this.#atHand.length > 0;
  }

  take(): SharedArrayBuffer | undefined {
    const arena = this.#atHand.shift();
    if (arena !== undefined) this.#lent.add(arena);
    if (this.#atHand.length === 0) this.#ask();
    return arena;
  }

  give(arena: SharedArrayBuffer): void {
    if (!this.#lent.delete(arena)) return;
    const message: FromShard = { kind: 'arena-back', arena };
    this.#control.postMessage(message);
  }

  add(arena: SharedArrayBuffer): void {
    this.#asked = Math.max(0, this.#asked - 1);
    this.#atHand.push(arena);
  }

  #ask(): void {
    if (this.#asked > 0) return;
    this.#asked++;
    const message: FromShard = { kind: 'arena-wanted' };
    this.#control.postMessage(message);
  }
}

let gc: (() => void) | undefined;

/**
 * Maps of dropped tables keep their disk space until the collector finds them, which an idle thread
 * may never cause. A shard's heap is small, so asking for it costs milliseconds, once per merge.
 */
function collectGarbage(): void {
  if (gc === undefined) {
    setFlagsFromString('--expose-gc');
    const exposed: unknown = runInNewContext('gc');
    gc = typeof exposed === 'function' ? () => void exposed() : () => {};
  }
  gc();
}

function codeOf(error: unknown): string {
  if (error instanceof StormError) return error.code;
  return systemCodeOf(error) === undefined ? 'INTERNAL' : 'UNAVAILABLE';
}
