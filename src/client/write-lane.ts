/**
 * The writes of one connection: flights go out over one Ingest stream and are answered in order. A
 * bounded number is on its way; the rest waits here and goes elsewhere when the connection fails.
 *
 * What happens to a flight when the stream ends without its answer:
 *   - it was never written to the stream → back to the writer, surely not applied;
 *   - the server said that nothing unanswered was applied → the same;
 *   - else → its outcome is unknown.
 */
import { StormError } from '../base/errors.js';
import {
  type BatchAnswer,
  decodeBatchSetResponse,
  encodePackedBatch,
} from '../rpc/client-codec.js';
import { ProtoWriter } from '../rpc/proto-writer.js';
import type { Channel, MessageDuplex } from './channel.js';
import type { Flight } from './flight.js';
import type { ClientTimers } from './timers.js';

const INGEST = '/kv.Kv/Ingest';
const CONNECT_MS_MAX = 2000;
const REST_MS = 100;
/** Bytes of a message are used again unless the message was a rare, large one. */
const REUSED_BYTES_MAX = 512 * 1024;

export interface WriteLaneOwner {
  answered(flight: Flight, answer: BatchAnswer): void;
  /** The connection failed before the answer came. */
  lost(flight: Flight, error: StormError): void;
  /** There may be room for one more. */
  hasRoom(): void;
}

export class WriteLane {
  readonly channel: Channel;
  readonly #owner: WriteLaneOwner;
  readonly #timers: ClientTimers;
  readonly #flightsMax: number;
  #stream: MessageDuplex | undefined;
  #isOpening = false;
  #isFull = false;
  #isClosed = false;
  /** Not before this monotonic time is a failed connection tried again. */
  #restUntilMs = 0;
  readonly #waiting: Flight[] = [];
  /** Written to the stream, oldest first. */
  readonly #sent: Flight[] = [];
  /** Their messages, and those of answered ones, which are free again: the answer says so. */
  readonly #messages: ProtoWriter[] = [];
  readonly #free: ProtoWriter[] = [];

  constructor(channel: Channel, owner: WriteLaneOwner, timers: ClientTimers, flightsMax: number) {
    this.channel = channel;
    this.#owner = owner;
    this.#timers = timers;
    this.#flightsMax = flightsMax;
  }

  /** Flights here, sent or not. */
  get load(): number {
    return this.#waiting.length + this.#sent.length;
  }

  get takesMore(): boolean {
    return this.load < this.#flightsMax;
  }

  /** False while a connection that failed rests. */
  isUsable(nowMs: number): boolean {
    return this.#stream !== undefined || nowMs >= this.#restUntilMs;
  }

  send(flight: Flight): void {
    this.#waiting.push(flight);
    if (this.#stream !== undefined) this.#flush();
    else if (!this.#isOpening) void this.#open();
  }

  /** Tells the owner of flights whose deadline has passed; sent ones keep their place. */
  expire(nowMs: number): void {
    for (const flight of this.#sent) {
      if (!flight.isOver && nowMs >= flight.deadlineMs) flight.fail(deadlineError(true));
    }
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const flight = this.#waiting[i];
      if (flight === undefined || nowMs < flight.deadlineMs) continue;
      this.#waiting.splice(i, 1);
      flight.fail(deadlineError(false));
    }
  }

  /** Ends the stream; what is on its way is lost. */
  close(): void {
    this.#isClosed = true;
    this.#stream?.cancel();
    this.#fail(new StormError('UNAVAILABLE', 'The client was closed', { outcome: 'unknown' }));
    this.channel.close();
  }

  async #open(): Promise<void> {
    this.#isOpening = true;
    try {
      await this.channel.ready(CONNECT_MS_MAX);
    } catch (error) {
      this.#isOpening = false;
      if (!this.#isClosed) this.#fail(error as StormError);
      return;
    }
    this.#isOpening = false;
    if (this.#isClosed) return;
    this.#isFull = false;
    const stream: MessageDuplex = this.channel.duplex(INGEST, {
      onMessage: (message) => this.#stream === stream && this.#take(message),
      onDrain: () => {
        this.#isFull = false;
        this.#flush();
      },
      onEnd: (error) => {
        if (this.#stream !== stream) return;
        const text = `${this.channel.target} ended the stream of writes`;
        this.#fail(error ?? new StormError('UNAVAILABLE', text, { outcome: 'unknown' }));
      },
    });
    this.#stream = stream;
    this.#flush();
  }

  #flush(): void {
    while (!this.#isFull && this.#stream !== undefined) {
      const flight = this.#waiting.shift();
      if (flight === undefined) return;
      this.#sent.push(flight);
      const message = this.#free.pop() ?? new ProtoWriter(flight.run.length + 32);
      this.#messages.push(message);
      this.#isFull = !this.#stream.write(encodePackedBatch(flight.run, message));
    }
  }

  #take(message: Buffer): void {
    const flight = this.#sent.shift();
    const used = this.#messages.shift();
    if (flight === undefined) return;
    if (used !== undefined && flight.run.length <= REUSED_BYTES_MAX) this.#free.push(used);
    this.#owner.answered(flight, decodeBatchSetResponse(message));
    this.#owner.hasRoom();
  }

  #fail(error: StormError): void {
    this.#stream = undefined;
    this.#restUntilMs = this.#timers.monotonicMs() + REST_MS;
    const sent = this.#sent.splice(0);
    // The stream may still hold them.
    this.#messages.length = 0;
    const waiting = this.#waiting.splice(0);
    for (const flight of sent) this.#owner.lost(flight, error);
    const { code, message } = error;
    const unsent = new StormError(code, message);
    for (const flight of waiting) this.#owner.lost(flight, unsent);
    this.#owner.hasRoom();
  }
}

export function deadlineError(wasSent: boolean): StormError {
  const text = wasSent
    ? 'The deadline passed; the write may or may not have been applied'
    : 'The deadline passed before the write could be sent; it was not applied';
  return new StormError('DEADLINE_EXCEEDED', text, wasSent ? { outcome: 'unknown' } : {});
}
