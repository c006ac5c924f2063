/**
 * Runs a router in its thread's event loop: shards wake it through their ports, a timer bounds
 * every delay. Pump → arm the bell → look once more, so that no wake-up is lost (rpc/doorbell.ts).
 */
import type { PortDoorbell } from '../rpc/doorbell.js';
import type { Router } from './router.js';

/** What is needed of the port on which a shard wakes this router. */
export interface WakeSource {
  on(event: 'message', listener: () => void): unknown;
  off(event: 'message', listener: () => void): unknown;
  close(): void;
}

/** Time and turns of the thread's event loop. */
export interface LoopTimers {
  /** Runs the task every `ms` until the returned function is called. */
  every(ms: number, task: () => void): () => void;
  /** Runs the task after what the loop has to do now. */
  soon(task: () => void): void;
}

const systemLoop: LoopTimers = {
  every(ms, task) {
    const timer = setInterval(task, ms);
    return () => clearInterval(timer);
  },
  soon: setImmediate,
};

/** Deadlines are judged, and rings looked at, at least this often. */
const SWEEP_EVERY_MS = 20;

export class RouterLoop {
  readonly #router: Router;
  readonly #bell: PortDoorbell;
  readonly #ports = new Map<number, WakeSource>();
  readonly #wake = () => this.#pump();
  readonly #sweepMore: () => void;
  readonly #timers: LoopTimers;
  #stopSweeping: (() => void) | undefined;
  #isPumpScheduled = false;

  /** `sweepMore` judges other deadlines of the thread. */
  constructor(
    router: Router,
    bell: PortDoorbell,
    sweepMore: () => void = () => {},
    timers = systemLoop,
  ) {
    this.#sweepMore = sweepMore;
    this.#timers = timers;
    this.#router = router;
    this.#bell = bell;
  }

  start(): void {
    this.#stopSweeping ??= this.#timers.every(SWEEP_EVERY_MS, () => this.#sweep());
    this.#pump();
  }

  /** The port of a shard's new life; that of its former life is closed. */
  setWakePort(shard: number, port: WakeSource): void {
    this.#dropPort(shard);
    this.#ports.set(shard, port);
    port.on('message', this.#wake);
  }

  stop(): void {
    this.#stopSweeping?.();
    this.#stopSweeping = undefined;
    for (const shard of [...this.#ports.keys()]) this.#dropPort(shard);
  }

  #sweep(): void {
    this.#pump();
    this.#router.sweep();
    this.#sweepMore();
  }

  #pump(): void {
    this.#bell.disarm();
    const hasMore = this.#router.pump();
    this.#bell.arm();
    if (!hasMore && !this.#router.hasReplies()) return;
    this.#bell.disarm();
    // Not in a loop: the doors get their turn in between.
    if (this.#isPumpScheduled) return;
    this.#isPumpScheduled = true;
    this.#timers.soon(() => {
      this.#isPumpScheduled = false;
      this.#pump();
    });
  }

  #dropPort(shard: number): void {
    const port = this.#ports.get(shard);
    if (port === undefined) return;
    this.#ports.delete(shard);
    port.off('message', this.#wake);
    port.close();
  }
}
