/** Control channels whose messages arrive after drawn delays, in order, by reference. */
import type { MessagePort } from 'node:worker_threads';
import type { ChannelPorts, Channels } from '../../src/rpc/channels.js';
import type { Scheduler, SimThread } from './scheduler.js';

type Listener = (message: unknown) => void;

export class SimPort {
  readonly #scheduler: Scheduler;
  #peer: SimPort | undefined;
  #owner: SimThread | undefined;
  #listener: Listener | undefined;
  readonly #queue: unknown[] = [];
  #lastAt = 0;
  #isClosed = false;
  /** Sees what is posted on this port. */
  tap: Listener | undefined;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  join(peer: SimPort): void {
    this.#peer = peer;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  postMessage(message: unknown): void {
    // The last words of a thread that was killed in the middle of them.
    if (this.#isClosed || this.#scheduler.current.isDead) return;
    this.tap?.(message);
    this.#peer?.arrive(message);
  }

  arrive(message: unknown): void {
    if (this.#isClosed) return;
    this.#queue.push(message);
    if (this.#listener !== undefined) this.#deliverLater();
  }

  on(_: 'message', listener: Listener): void {
    this.#listener = listener;
    this.#owner = this.#scheduler.current;
    for (const _ of this.#queue) this.#deliverLater();
  }

  off(): void {
    this.#listener = undefined;
  }

  removeAllListeners(): void {
    this.#listener = undefined;
  }

  receive(): { message: unknown } | undefined {
    return this.#queue.length === 0 ? undefined : { message: this.#queue.shift() };
  }

  close(): void {
    this.#isClosed = true;
  }

  #deliverLater(): void {
    const { now } = this.#scheduler;
    const owner = this.#owner;
    if (owner === undefined) return;
    const { random } = this.#scheduler;
    const delay = this.#scheduler.between(0.005, random.chance(0.02) ? 3 : 0.08);
    this.#lastAt = Math.max(this.#lastAt, now + delay);
    this.#scheduler.after(owner, this.#lastAt - now, () => {
      const received = this.receive();
      if (received !== undefined) this.#listener?.(received.message);
    });
  }
}

export class SimChannels implements Channels {
  readonly #scheduler: Scheduler;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  open(): ChannelPorts {
    const port1 = new SimPort(this.#scheduler);
    const port2 = new SimPort(this.#scheduler);
    port1.join(port2);
    port2.join(port1);
    return { port1: asMessagePort(port1), port2: asMessagePort(port2) };
  }

  receive(port: MessagePort): { message: unknown } | undefined {
    return asSimPort(port).receive();
  }
}

function asMessagePort(port: SimPort): MessagePort {
  return port as unknown as MessagePort;
}

export function asSimPort(port: unknown): SimPort {
  if (port instanceof SimPort) return port;
  throw new Error('A port from elsewhere came into the simulation');
}
