/** The load threads of a storm as one, seen from the main thread. */
import { Worker } from 'node:worker_threads';
import { StormError } from '../base/errors.js';
import { type IntervalReport, type RunHistograms, runHistograms } from './meter.js';
import type { FromThread, ThreadSetting, ToThread } from './thread-messages.js';
import { addVerification, emptyVerification, type Verification } from './verify.js';

const ENTRY = new URL('./worker.js', import.meta.url);

export interface LoadHandlers {
  onInterval(report: IntervalReport): void;
  onRead(keys: number): void;
}

export interface Settled {
  totals: RunHistograms;
  /** Keys that could be read back. */
  checkCount: number;
}

export class LoadThreads {
  readonly #workers: Worker[];
  readonly #handlers: LoadHandlers;
  readonly #failed: Promise<never>;
  #fail: (error: Error) => void = () => {};
  #take: (message: FromThread) => void = () => {};

  /** Starts the threads; they wait for `storm`. */
  constructor(settings: readonly ThreadSetting[], handlers: LoadHandlers) {
    this.#handlers = handlers;
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    // It is raced with each step, and there may be none any more.
    this.#failed.catch(() => {});
    this.#workers = settings.map((setting) => this.#start(setting));
  }

  /** Runs the storm; resolves when everything is settled. */
  async storm(): Promise<Settled> {
    const settled: Settled = { totals: runHistograms(), checkCount: 0 };
    const done = this.#each((message) => {
      if (message.kind !== 'done') return false;
      settled.totals.writes.add(message.totals.writes);
      settled.totals.reads.add(message.totals.reads);
      settled.checkCount += message.checkCount;
      return true;
    });
    this.#send({ kind: 'start' });
    await done;
    return settled;
  }

  /** Begin no more submissions. */
  stop(): void {
    this.#send({ kind: 'stop' });
  }

  /** Reads back every `step`th key. */
  async verify(step: number): Promise<Verification> {
    const sum = emptyVerification();
    const done = this.#each((message) => {
      if (message.kind !== 'verified') return false;
      addVerification(sum, message.verification);
      return true;
    });
    this.#send({ kind: 'verify', step });
    await done;
    return sum;
  }

  /** Whatever they do. */
  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #start(setting: ThreadSetting): Worker {
    const worker = new Worker(ENTRY, { workerData: setting });
    worker.on('message', (message: FromThread) => {
      if (message.kind === 'interval') this.#handlers.onInterval(message.report);
      else if (message.kind === 'read-back') this.#handlers.onRead(message.keys);
      else if (message.kind === 'failed') {
        this.#fail(new StormError(message.code, message.message));
      } else this.#take(message);
    });
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', (code) => {
      this.#fail(new StormError('INTERNAL', `A load thread ended by itself (exit ${code})`));
    });
    return worker;
  }

  /** Resolves when `isLast` was true once for every thread. */
  #each(isLast: (message: FromThread) => boolean): Promise<void> {
    let open = this.#workers.length;
    const all = new Promise<void>((resolve) => {
      this.#take = (message) => {
        if (isLast(message) && --open === 0) resolve();
      };
    });
    return Promise.race([all, this.#failed]);
  }

  #send(message: ToThread): void {
    for (const worker of this.#workers) worker.postMessage(message);
  }
}
