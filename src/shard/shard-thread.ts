/**
 * The thread around a shard: has it take turns, parks on the doorbell when there is nothing to do,
 * and yields to the event loop now and then. Yielding matters: memory maps of dropped tables are
 * released by callbacks that only the loop runs.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { StormError } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { systemClock } from '../base/system-clock.js';
import { systemChannels } from '../rpc/channels.js';
import type { ShardBoot } from '../rpc/control.js';
import { ThreadDoorbell } from '../rpc/doorbell.js';
import { nodeFileSystem } from '../storage/node-file-system.js';
import { ShardRunner } from './shard-runner.js';

const PARK_MS_MAX = 50;
/** The event loop gets a turn at least this often, even under full load. */
const YIELD_MS = 50;

export class ShardThread {
  readonly #boot: ShardBoot;
  readonly #bell: ThreadDoorbell;
  readonly #runner: ShardRunner;

  constructor(boot: ShardBoot) {
    this.#boot = boot;
    const bell = boot.links[0]?.shardBell;
    if (bell === undefined) throw new StormError('INTERNAL', 'A shard needs at least one link');
    this.#bell = new ThreadDoorbell(bell);
    this.#runner = new ShardRunner(boot, {
      fs: nodeFileSystem,
      clock: systemClock,
      random: systemRandom,
      channels: systemChannels,
    });
  }

  /** Recovers and starts turning; the thread ends by itself when it cannot. */
  start(): void {
    // A referenced port keeps the thread alive between turns.
    this.#boot.control.ref();
    if (this.#runner.open()) setImmediate(() => this.#loop());
  }

  #loop(): void {
    const yieldAt = systemClock.monotonicMs() + YIELD_MS;
    for (let now = 0; now < yieldAt; now = systemClock.monotonicMs()) {
      const seen = this.#bell.prepare();
      const step = this.#runner.step();
      if (step.kind === 'ended') return;
      if (step.kind === 'collect') {
        collectGarbage();
        break;
      }
      if (step.kind === 'until') this.#park(seen, step.ms);
    }
    this.#runner.publishFigures();
    setImmediate(() => this.#loop());
  }

  #park(seen: number, dueMs: number): void {
    const wait = Math.min(PARK_MS_MAX, dueMs - systemClock.monotonicMs());
    if (wait > 0) this.#bell.wait(seen, wait);
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
