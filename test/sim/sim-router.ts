/** The router's thread in the simulation: the router and its loop, without doors. */
import { EventEmitter } from 'node:events';
import { unreachable } from '../../src/base/assert.js';
import { Router } from '../../src/router/router.js';
import { RouterLoop } from '../../src/router/router-loop.js';
import type { FromRouter, RouterBoot, ToRouter } from '../../src/rpc/control.js';
import { PortDoorbell } from '../../src/rpc/doorbell.js';
import { RouterEnd } from '../../src/rpc/link.js';
import type { RouterThread } from '../../src/supervisor/router-keeper.js';
import type { SimThread } from './scheduler.js';
import type { World } from './world.js';

const HINTS = { busyRetryAfterMs: 50, downRetryAfterMs: 250, scansMax: 16 };

export class SimRouter extends EventEmitter implements RouterThread {
  readonly thread: SimThread;
  readonly router: Router;
  /** Which life of each shard calls go to; 0 = none. */
  readonly lives: number[];
  isOpen = false;
  isDraining = false;
  /** Tasks of the event loop that are still to come: it will look at its rings again. */
  #soonCount = 0;
  readonly #world: World;
  readonly #boot: RouterBoot;
  readonly #loop: RouterLoop;

  constructor(world: World, boot: RouterBoot) {
    super();
    this.#world = world;
    this.#boot = boot;
    const { scheduler } = world;
    this.thread = scheduler.thread(`router ${boot.router}`);
    this.lives = Array.from({ length: boot.shardCount }, () => 0);
    this.router = new Router({
      ...boot,
      clock: scheduler,
      limits: { ...boot, ...HINTS },
      slotOwner: new Uint16Array(boot.slotOwner),
      soon: (task) => this.#soon(task),
      onDamage: (shard, epoch, { message }) => {
        world.violation(`The ring of shard ${shard}.${epoch} is damaged: ${message}`);
        this.#post({ kind: 'damaged', shard, epoch, message });
      },
    });
    this.#loop = new RouterLoop(this.router, new PortDoorbell(boot.routerBell), () => {}, {
      every: (ms, task) => scheduler.every(this.thread, ms, task),
      soon: (task) => this.#soon(task),
    });
    scheduler.after(this.thread, scheduler.between(0.1, 2), () => this.#start());
  }

  unref(): void {}

  get isIdle(): boolean {
    return this.#soonCount === 0 && this.thread.freeAt <= this.#world.scheduler.now;
  }

  #start(): void {
    this.#boot.control.on('message', (message: ToRouter) => this.#onMessage(message));
    this.#loop.start();
    this.isOpen = true;
    this.#post({ kind: 'listening', grpcAddress: 'sim:1', httpAddress: 'sim:2' });
  }

  /** As src/router/worker.ts does it. */
  #onMessage(message: ToRouter): void {
    switch (message.kind) {
      case 'shard-up':
        this.lives[message.shard] = this.#world.lifeOf(message.shard, message.link.epoch);
        this.#loop.setWakePort(message.shard, message.wake);
        this.router.shardUp(new RouterEnd(message.link));
        return;
      case 'shard-down':
        this.router.shardDown(message.shard, message.reason);
        return;
      case 'shard-refused':
        this.router.shardRefused(message.shard, message.reason);
        return;
      case 'answer':
      case 'traffic':
      case 'security':
        return;
      case 'drain':
        this.router.startDrain();
        this.isDraining = true;
        this.#drain(this.#world.scheduler.now + message.deadlineMs);
        return;
      default:
        unreachable(message, 'message to a router');
    }
  }

  #drain(deadline: number): void {
    const { scheduler } = this.#world;
    if (this.router.status().inFlight > 0 && scheduler.now < deadline) {
      scheduler.after(this.thread, 1, () => this.#drain(deadline));
      return;
    }
    this.#loop.stop();
    this.#post({ kind: 'drained' });
    this.#boot.control.close();
    this.thread.isDead = true;
    scheduler.after(this.#world.main, 0.1, () => this.emit('exit', 0));
  }

  #soon(task: () => void): void {
    const { scheduler } = this.#world;
    this.#soonCount++;
    scheduler.after(this.thread, scheduler.between(0.001, 0.03), () => {
      this.#soonCount--;
      task();
    });
  }

  #post(message: FromRouter): void {
    this.#boot.control.postMessage(message);
  }
}
