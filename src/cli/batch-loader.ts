/**
 * Writes many entries as batches, several of them on their way at once. A key that is on its way is
 * waited for before it is written again, so that the last one given is the one that stays. Batches
 * that found no room or no server are sent again: the same writes twice do no harm. Knows through
 * which line everything is written.
 *
 * Calls of their own, not one Ingest stream: that would write prepared batches twice as fast, but
 * reading the lines is what a load spends its time with (two thirds of it on one core), so it would
 * gain a tenth, and lose a status and a retry for each batch when a connection breaks.
 */
import { checkKey, TTL_MS_MAX } from '../base/entry-run.js';
import { messageOf, StormError } from '../base/errors.js';
import { RunBuilder } from '../base/run-builder.js';
import type { BatchAnswer } from './kv-client.js';

const BATCH_ENTRIES = 1000;
const BATCH_BYTES = 256 * 1024;
const IN_FLIGHT_MAX = 8;
const WAIT_MS_FIRST = 100;
const WAIT_MS_MAX = 5000;
/** gRPC statuses of writes that may be sent again: no time, no room, no server. */
const PASSING = [4, 8, 14];
/** Of a batch as a whole: smaller ones may fare better. */
const TOO_LARGE_CODES = ['INVALID_ARGUMENT', 'RESOURCE_EXHAUSTED'];
const PASSING_CODES = ['UNAVAILABLE', 'RESOURCE_EXHAUSTED', 'DEADLINE_EXCEEDED'];
const NO_LIMITS = { keyBytesMax: Number.MAX_SAFE_INTEGER, valueBytesMax: Number.MAX_SAFE_INTEGER };

export interface LoadEntry {
  line: number;
  key: Buffer;
  /** Undefined = delete. */
  value: Buffer | undefined;
  ttlMs: number;
  /** Wall time in ms; 0 = never. Counts where `ttlMs` is 0. */
  expiresAtMs: number;
}

export interface LoaderEnv {
  send(run: Uint8Array): Promise<BatchAnswer>;
  wallMs(): number;
  sleep(ms: number): Promise<void>;
  /** How long a batch that is not taken is tried again. */
  patienceMs: number;
  /** An entry is wrong; the load goes on without it. */
  wrong(line: number, why: string): void;
}

interface Batch {
  entries: LoadEntry[];
  lastLine: number;
  isDone: boolean;
}

export class BatchLoader {
  written = 0;
  /** Not written, because their time had come. */
  expired = 0;
  /** Every line up to this one is written, expired or wrong. */
  through = 0;
  readonly #env: LoaderEnv;
  readonly #inFlight: Batch[] = [];
  readonly #keys = new Set<string>();
  readonly #waiting = new Set<Promise<void>>();
  #open: LoadEntry[] = [];
  #openBytes = 0;
  #lastLine = 0;
  #error: Error | undefined;

  constructor(env: LoaderEnv) {
    this.#env = env;
  }

  /** Resolves when there is room for more. Rejects when a batch failed for good. */
  async add(entry: LoadEntry): Promise<void> {
    this.#lastLine = entry.line;
    const why = faultOf(entry);
    if (why !== undefined) {
      this.#env.wrong(entry.line, why);
      return;
    }
    this.#open.push(entry);
    this.#openBytes += entry.key.length + (entry.value?.length ?? 0);
    if (this.#open.length < BATCH_ENTRIES && this.#openBytes < BATCH_BYTES) return;
    await this.#begin();
  }

  /** A line that there is nothing to write of. */
  passed(line: number): void {
    this.#lastLine = line;
    this.#moveOn();
  }

  /** Resolves when everything is written. */
  async finish(): Promise<void> {
    if (this.#open.length > 0) await this.#begin();
    await this.#settled(0);
    this.#moveOn();
  }

  async #begin(): Promise<void> {
    const batch: Batch = { entries: this.#open, lastLine: this.#lastLine, isDone: false };
    this.#open = [];
    this.#openBytes = 0;
    const names = batch.entries.map(({ key }) => key.toString('latin1'));
    await this.#settled(names.some((name) => this.#keys.has(name)) ? 0 : IN_FLIGHT_MAX - 1);
    for (const name of names) this.#keys.add(name);
    this.#inFlight.push(batch);
    const sending = this.#send(batch)
      .catch((error: unknown) => {
        this.#error ??= error instanceof Error ? error : new Error(messageOf(error));
      })
      .finally(() => {
        for (const name of names) this.#keys.delete(name);
        this.#waiting.delete(sending);
        this.#moveOn();
      });
    this.#waiting.add(sending);
  }

  /** Resolves when at most `count` batches are on their way. */
  async #settled(count: number): Promise<void> {
    while (this.#waiting.size > count && this.#error === undefined) {
      await Promise.race(this.#waiting);
    }
    if (this.#error === undefined) return;
    await Promise.all(this.#waiting);
    throw this.#error;
  }

  #moveOn(): void {
    while (this.#inFlight[0]?.isDone === true) {
      this.through = this.#inFlight[0].lastLine;
      this.#inFlight.shift();
    }
    if (this.#inFlight.length === 0 && this.#open.length === 0) this.through = this.#lastLine;
  }

  async #send(batch: Batch): Promise<void> {
    let left = batch.entries;
    let patienceMs = this.#env.patienceMs;
    for (let waitMs = WAIT_MS_FIRST; left.length > 0; waitMs *= 2) {
      left = await this.#try(left, patienceMs <= 0);
      if (left.length === 0) break;
      const ms = Math.min(WAIT_MS_MAX, waitMs, patienceMs);
      patienceMs -= ms;
      await this.#env.sleep(ms);
    }
    batch.isDone = true;
  }

  /** Writes the entries; those to write again are the result. */
  async #try(given: LoadEntry[], isLast: boolean): Promise<LoadEntry[]> {
    const entries = this.#alive(given);
    if (entries.length === 0) return [];
    try {
      const answer = await this.#env.send(this.#runOf(entries));
      this.written += answer.written;
      return this.#again(entries, answer, isLast);
    } catch (error) {
      const code = error instanceof StormError ? error.code : undefined;
      if (code !== undefined && TOO_LARGE_CODES.includes(code) && entries.length > 1) {
        return await this.#halves(entries, isLast);
      }
      if (code === 'INVALID_ARGUMENT' && entries[0] !== undefined) {
        this.#env.wrong(entries[0].line, messageOf(error));
        return [];
      }
      if (code === undefined || !PASSING_CODES.includes(code) || isLast) throw error;
      return entries;
    }
  }

  /** The batch may be larger than the server takes, or only one of its entries wrong. */
  async #halves(entries: LoadEntry[], isLast: boolean): Promise<LoadEntry[]> {
    const middle = entries.length >>> 1;
    const again = await this.#try(entries.slice(0, middle), isLast);
    const second = entries.slice(middle);
    return again.length > 0 ? [...again, ...second] : await this.#try(second, isLast);
  }

  #alive(entries: LoadEntry[]): LoadEntry[] {
    const now = this.#env.wallMs();
    const alive = entries.filter(({ expiresAtMs, ttlMs }) => {
      return ttlMs !== 0 || expiresAtMs === 0 || expiresAtMs > now;
    });
    this.expired += entries.length - alive.length;
    return alive;
  }

  #runOf(entries: LoadEntry[]): Uint8Array {
    const builder = new RunBuilder();
    const now = this.#env.wallMs();
    for (const { key, value, ttlMs, expiresAtMs } of entries) {
      // Never 0, which would be for ever.
      const left = expiresAtMs === 0 ? 0 : Math.min(TTL_MS_MAX, Math.max(1, expiresAtMs - now));
      if (value === undefined) builder.delete(key);
      else builder.put(key, value, ttlMs === 0 ? left : ttlMs);
    }
    return builder.runView();
  }

  #again(entries: LoadEntry[], { errors }: BatchAnswer, isLast: boolean): LoadEntry[] {
    const again: LoadEntry[] = [];
    for (const { index, code, message } of errors) {
      const entry = entries[index];
      if (entry === undefined) continue;
      if (!PASSING.includes(code)) this.#env.wrong(entry.line, message);
      else if (isLast) throw new StormError('UNAVAILABLE', message);
      else again.push(entry);
    }
    // An entry that is written again must not come behind a later one of its key.
    return again.length === 0 ? again : withLater(entries, again);
  }
}

/** The entries to send again, and those behind them that write the same keys. */
function withLater(entries: LoadEntry[], again: LoadEntry[]): LoadEntry[] {
  const keys = new Set(again.map(({ key }) => key.toString('latin1')));
  const first = again[0];
  return entries
    .slice(first === undefined ? 0 : entries.indexOf(first))
    .filter(({ key }) => keys.has(key.toString('latin1')));
}

function faultOf({ key }: LoadEntry): string | undefined {
  try {
    checkKey(key, 0, key.length, NO_LIMITS);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
