/**
 * Takes reads one by one and sends them as BatchGets: what is asked in one turn of the event loop
 * travels together. A batch that fails is repeated in halves, so that one key, or one shard, holds
 * up no other; reads have no effect and are always repeated until their deadline.
 */
import { StormError } from '../base/errors.js';
import {
  decodeBatchGetResponse,
  encodeBatchGetRequest,
  type FoundValue,
} from '../rpc/client-codec.js';
import type { Channel } from './channel.js';
import type { ClientTimers } from './timers.js';

const BATCH_GET = '/kv.Kv/BatchGet';
const RETRY_MS_FIRST = 10;
const RETRY_MS_MAX = 1000;

export interface ReaderOptions {
  batchKeysMax: number;
  deadlineMs: number;
  /** Batches on their way at once; beyond, keys gather. */
  callsMax: number;
}

type GetDone = (error: StormError | undefined, found: FoundValue | undefined) => void;

interface Batch {
  keys: Uint8Array[];
  dones: GetDone[];
  deadlineMs: number;
  attempt: number;
}

export class Reader {
  readonly #options: ReaderOptions;
  readonly #timers: ClientTimers;
  #channels: readonly Channel[] = [];
  #gathered: Batch | undefined;
  readonly #ready: Batch[] = [];
  #calls = 0;
  #isSoon = false;
  #isClosed = false;
  #next = 0;

  constructor(options: ReaderOptions, timers: ClientTimers) {
    this.#options = options;
    this.#timers = timers;
  }

  useChannels(channels: readonly Channel[]): void {
    this.#channels = channels;
  }

  get(key: Uint8Array, done: GetDone): void {
    if (this.#isClosed) {
      done(new StormError('FAILED_PRECONDITION', 'The client is closed'), undefined);
      return;
    }
    this.#gathered ??= this.#newBatch();
    const { keys, dones } = this.#gathered;
    keys.push(key);
    dones.push(done);
    if (keys.length >= this.#options.batchKeysMax) this.#launch();
    else this.#launchSoon();
  }

  /** Reads that are not answered yet fail: at once, or when their call ends. */
  close(): void {
    this.#isClosed = true;
    this.#launch();
  }

  #newBatch(): Batch {
    const deadlineMs = this.#timers.monotonicMs() + this.#options.deadlineMs;
    return { keys: [], dones: [], deadlineMs, attempt: 0 };
  }

  #launchSoon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    this.#timers.soon(() => {
      this.#isSoon = false;
      if (this.#calls < this.#options.callsMax) this.#launch();
    });
  }

  #launch(): void {
    if (this.#gathered !== undefined) this.#ready.push(this.#gathered);
    this.#gathered = undefined;
    this.#dispatch();
  }

  #dispatch(): void {
    while (this.#isClosed || this.#calls < this.#options.callsMax) {
      const batch = this.#ready.shift();
      if (batch === undefined) return;
      if (this.#isClosed) settleAll(batch, closedError());
      else this.#send(batch);
    }
  }

  #send(batch: Batch): void {
    const timeoutMs = batch.deadlineMs - this.#timers.monotonicMs();
    const channel = this.#channels[this.#next++ % this.#channels.length];
    if (channel === undefined || timeoutMs <= 0) {
      const text = 'The deadline passed before the key could be read';
      settleAll(batch, new StormError('DEADLINE_EXCEEDED', text));
      return;
    }
    this.#calls++;
    channel.unary(BATCH_GET, encodeBatchGetRequest(batch.keys), timeoutMs, (error, response) => {
      this.#calls--;
      if (error === undefined) this.#answer(batch, response);
      else this.#again(batch, error);
      this.#dispatch();
      if (this.#gathered !== undefined) this.#launchSoon();
    });
  }

  #answer(batch: Batch, response: Buffer): void {
    const results = decodeBatchGetResponse(response);
    if (results.length !== batch.keys.length) {
      const text = `The server answered for ${results.length} of ${batch.keys.length} keys`;
      settleAll(batch, new StormError('INTERNAL', text));
      return;
    }
    for (let i = 0; i < results.length; i++) batch.dones[i]?.(undefined, results[i]);
  }

  #again(batch: Batch, error: StormError): void {
    const mayPass = error.code === 'UNAVAILABLE' || error.code === 'RESOURCE_EXHAUSTED';
    const isOne = batch.keys.length === 1;
    if (this.#isClosed) {
      settleAll(batch, closedError());
      return;
    }
    if (isOne && !mayPass) {
      settleAll(batch, error);
      return;
    }
    const parts = isOne ? [{ ...batch, attempt: batch.attempt + 1 }] : halvesOf(batch);
    const backoff = Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** batch.attempt);
    const pauseMs = mayPass ? Math.max(error.retryAfterMs ?? 0, backoff) : 0;
    if (this.#timers.monotonicMs() + pauseMs >= batch.deadlineMs) {
      settleAll(batch, error);
      return;
    }
    this.#timers.after(pauseMs * (0.5 + this.#timers.random()), () => {
      this.#ready.push(...parts);
      this.#dispatch();
    });
  }
}

function halvesOf({ keys, dones, deadlineMs, attempt }: Batch): Batch[] {
  const middle = Math.ceil(keys.length / 2);
  const next = attempt + 1;
  return [
    { keys: keys.slice(0, middle), dones: dones.slice(0, middle), deadlineMs, attempt: next },
    { keys: keys.slice(middle), dones: dones.slice(middle), deadlineMs, attempt: next },
  ];
}

function closedError(): StormError {
  return new StormError('UNAVAILABLE', 'The client was closed before the key was read');
}

function settleAll({ dones }: Batch, error: StormError): void {
  for (const done of dones) done(error, undefined);
}
