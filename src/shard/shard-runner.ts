/**
 * A shard's life without its thread: opens the engine, reads the control port, reports, takes turns
 * one at a time. Whoever owns the thread decides when, and parks in between: shard-thread.ts in
 * production, a scheduler in simulations.
 */
import type { MessagePort } from 'node:worker_threads';
import type { Clock } from '../base/clock.js';
import { messageOf, StormError, systemCodeOf } from '../base/errors.js';
import type { Random } from '../base/random.js';
import type { Channels } from '../rpc/channels.js';
import type { FromShard, ShardBoot, ToShard } from '../rpc/control.js';
import type { Job, JobResult } from '../rpc/jobs.js';
import { ShardEnd } from '../rpc/link.js';
import type { ShardQuestion } from '../rpc/shard-operations.js';
import { ShardStats } from '../rpc/shard-stats.js';
import { SyncAlarm } from '../rpc/sync-alarm.js';
import type { FileSystem } from '../storage/file-system.js';
import { Engine } from './engine.js';
import type { ArenaPort, JobPort } from './engine-env.js';
import { ShardActor } from './shard-actor.js';

const FIGURES_MS = 100;

export interface RunnerEnv {
  fs: FileSystem;
  clock: Clock;
  random: Random;
  channels: Pick<Channels, 'receive'>;
}

/** What the owner of the thread does next. */
export type Step =
  /** Takes the next turn soon. */
  | { kind: 'again' }
  /** As `again`, but tables were dropped: has their maps collected first. */
  | { kind: 'collect' }
  /** Parks until this monotonic time unless the bell rings. */
  | { kind: 'until'; ms: number }
  /** The life is over, its ports are closed. */
  | { kind: 'ended' };

const AGAIN: Step = { kind: 'again' };
const COLLECT: Step = { kind: 'collect' };
const ENDED: Step = { kind: 'ended' };

export class ShardRunner {
  readonly #boot: ShardBoot;
  readonly #env: RunnerEnv;
  readonly #jobs: RemoteJobs;
  readonly #arenas: LentArenas;
  readonly #stats: ShardStats;
  #engine: Engine | undefined;
  #actor: ShardActor | undefined;
  #startedMs = 0;
  #isReady = false;
  #stopping = false;
  #figuresDueMs = 0;

  constructor(boot: ShardBoot, env: RunnerEnv) {
    this.#boot = boot;
    this.#env = env;
    this.#jobs = new RemoteJobs(boot.control);
    this.#arenas = new LentArenas(boot.control, boot.arenas);
    this.#stats = new ShardStats(boot.stats);
  }

  /** Recovers; when it cannot, reports `refused`, and the life is over: false then. */
  open(): boolean {
    this.#startedMs = this.#env.clock.monotonicMs();
    try {
      this.#open();
      return true;
    } catch (error) {
      this.#post({ kind: 'refused', code: codeOf(error), message: messageOf(error) });
      this.#end();
      return false;
    }
  }

  /** Take what the bell's `prepare` says before: what is rung from then on may have been missed. */
  step(): Step {
    const engine = this.#engine;
    const actor = this.#actor;
    if (engine === undefined || actor === undefined) return ENDED;
    this.#receive();
    this.#reportReady(engine);
    if (this.#stopping) return this.#stop(actor);
    const turn = actor.turn();
    if (turn.kind === 'poisoned') {
      this.#post({ kind: 'poisoned', message: turn.message });
      return this.#end();
    }
    if (engine.takeReleasedTables()) return COLLECT;
    return turn.kind === 'until' ? turn : AGAIN;
  }

  /** Copies the engine's figures into the shared counters, now and then. */
  publishFigures(): void {
    const now = this.#env.clock.monotonicMs();
    if (now < this.#figuresDueMs) return;
    this.#figuresDueMs = now + FIGURES_MS;
    this.#actor?.publishFigures();
    const line = this.#engine?.takeLogLine();
    if (line !== undefined) this.#post(line);
  }

  #open(): void {
    const { engine: options, distrustPageCache, links, routerPorts, slotMapEpoch } = this.#boot;
    const { syncAlarm, syncFailuresKnown } = this.#boot;
    this.#engine = Engine.open(
      {
        ...this.#env,
        jobs: this.#jobs,
        arenas: this.#arenas,
        syncAlarm: new SyncAlarm(syncAlarm, syncFailuresKnown),
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

  #reportReady(engine: Engine): void {
    if (this.#isReady || !engine.replayIsSafe) return;
    this.#isReady = true;
    const recoveryMs = this.#env.clock.monotonicMs() - this.#startedMs;
    const { records: recoveredRecords, lastSequence } = engine.report;
    this.#post({ kind: 'ready', recoveredRecords, recoveryMs, lastSequence });
  }

  #receive(): void {
    for (;;) {
      const received = this.#env.channels.receive(this.#boot.control);
      if (received === undefined) return;
      const message = received.message as ToShard;
      if (message.kind === 'job-done') this.#jobs.finish(message.id, message.result);
      else if (message.kind === 'arena') this.#arenas.add(message.arena);
      else if (message.kind === 'ask') this.#answer(message.id, message.question);
      else this.#stopping = true;
    }
  }

  #answer(id: number, question: ShardQuestion): void {
    const answer = this.#engine?.desk.answer(question);
    if (answer !== undefined) this.#post({ kind: 'answer', id, answer });
  }

  #stop(actor: ShardActor): Step {
    try {
      actor.stop();
    } catch (error) {
      this.#post({ kind: 'poisoned', message: messageOf(error) });
    }
    this.#post({ kind: 'stopped' });
    return this.#end();
  }

  #post(message: FromShard): void {
    this.#boot.control.postMessage(message);
  }

  /** With every port closed nothing keeps the thread alive. */
  #end(): Step {
    this.#boot.control.close();
    for (const port of this.#boot.routerPorts) port.close();
    this.#engine = undefined;
    this.#actor = undefined;
    return ENDED;
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

function codeOf(error: unknown): string {
  if (error instanceof StormError) return error.code;
  return systemCodeOf(error) === undefined ? 'INTERNAL' : 'UNAVAILABLE';
}
