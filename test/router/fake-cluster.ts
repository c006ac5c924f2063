/** A router with fake shards behind real rings, all on the test's thread. */
import { MessageChannel } from 'node:worker_threads';
import type { Clock } from '../../src/base/clock.js';
import { SLOT_COUNT } from '../../src/base/slot.js';
import { systemClock } from '../../src/base/system-clock.js';
import { Router } from '../../src/router/router.js';
import { RouterLoop } from '../../src/router/router-loop.js';
import type { RouterLimits } from '../../src/router/router-types.js';
import { PortDoorbell, ThreadDoorbell } from '../../src/rpc/doorbell.js';
import { allocateLink, type LinkMemory, type LinkSizes, RouterEnd } from '../../src/rpc/link.js';
import { FakeShard } from './fake-shard.js';

export const TEST_LIMITS: RouterLimits = {
  keyBytesMax: 64,
  valueBytesMax: 512,
  batchBytesMax: 1500,
  batchEntriesMax: 100,
  scansMax: 3,
  inFlightMax: 64,
  deadlineMsDefault: 1000,
  busyRetryAfterMs: 25,
  downRetryAfterMs: 250,
};
export const TEST_SIZES: LinkSizes = {
  writeRequestBytes: 4096,
  readRequestBytes: 2048,
  writeReplyBytes: 4096,
  readReplyBytes: 4096,
};

export interface FakeClusterOptions {
  shardCount?: number;
  limits?: Partial<RouterLimits>;
  sizes?: Partial<LinkSizes>;
  clock?: Clock;
  /** 'loop' runs everything in the event loop; 'manual' only when the test says so. */
  mode: 'loop' | 'manual';
}

export class FakeCluster {
  readonly router: Router;
  readonly shards: FakeShard[] = [];
  readonly damages: string[] = [];
  /** Tasks that the router asked to run soon (manual mode). */
  readonly tasks: (() => void)[] = [];
  readonly routerBell = PortDoorbell.allocate();
  readonly #options: FakeClusterOptions;
  readonly #sizes: LinkSizes;
  readonly #loop: RouterLoop | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #epoch = 0;

  constructor(options: FakeClusterOptions) {
    this.#options = options;
    this.#sizes = { ...TEST_SIZES, ...options.sizes };
    const shardCount = options.shardCount ?? 2;
    const slotOwner = Uint16Array.from({ length: SLOT_COUNT }, (_, slot) => slot % shardCount);
    this.router = new Router({
      clock: options.clock ?? systemClock,
      limits: { ...TEST_LIMITS, ...options.limits },
      shardCount,
      slotOwner,
      slotMapEpoch: 1,
      soon: (task) => this.#soon(task),
      onDamage: (shard, epoch, error) => this.damages.push(`${shard}/${epoch}: ${error.message}`),
    });
    if (options.mode === 'loop') {
      this.#loop = new RouterLoop(this.router, new PortDoorbell(this.routerBell));
      this.#loop.start();
      // A shard whose reply lane was full goes on when the router has read it.
      this.#ticker = setInterval(() => this.#stepAll(), 5);
    }
    for (let shard = 0; shard < shardCount; shard++) this.start(shard);
  }

  /** Starts (again) a shard on a new link; its data are kept. */
  start(shard: number): LinkMemory {
    this.#epoch++;
    const memory = allocateLink(this.#sizes, {
      shard,
      router: 0,
      epoch: this.#epoch,
      slotMapEpoch: 1,
      shardBell: ThreadDoorbell.allocate(),
      routerBell: this.routerBell,
    });
    const { port1, port2 } = new MessageChannel();
    this.shards[shard] = new FakeShard(memory, port1, this.shards[shard]?.data);
    if (this.#loop === undefined) port1.close();
    else this.#loop.setWakePort(shard, port2);
    this.router.shardUp(new RouterEnd(memory));
    return memory;
  }

  shard(index: number): FakeShard {
    const shard = this.shards[index];
    if (shard === undefined) throw new Error(`no fake shard ${index}`);
    return shard;
  }

  /** Manual mode: everything that is to be done, until nothing is. */
  settle(): void {
    for (;;) {
      for (const task of this.tasks.splice(0)) task();
      let count = 0;
      for (const shard of this.shards) count += shard.step();
      const isMore = this.router.pump();
      if (count === 0 && !isMore && this.tasks.length === 0) return;
    }
  }

  close(): void {
    this.#loop?.stop();
    clearInterval(this.#ticker);
  }

  #soon(task: () => void): void {
    if (this.#options.mode === 'manual') {
      this.tasks.push(task);
      return;
    }
    setImmediate(() => {
      task();
      this.#stepAll();
    });
  }

  #stepAll(): void {
    for (const shard of this.shards) shard.step();
  }
}
