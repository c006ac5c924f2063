/**
 * The client of stormkv: `connect`, then promises. Calls gather into batches by themselves; what
 * may be repeated is repeated; everything on its way is bounded. docs/CLIENT.md tells more.
 */
import type { Writable } from 'node:stream';
import { checkTtl, RunReader } from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
import { RunBuilder } from '../base/run-builder.js';
import type { ClientSecurity } from '../rpc/client-security.js';
import { BatchWrite } from './batch-write.js';
import { type Channel, openChannel } from './channel.js';
import { type ConditionalOptions, conditionalSet } from './conditional-set.js';
import { type ClientOptions, type ResolvedOptions, resolveOptions } from './options.js';
import { Reader } from './reader.js';
import { type ScanEntry, type ScanOptions, scanPages } from './scan.js';
import { type ClientTimers, systemClientTimers } from './timers.js';
import { writableOf } from './writable.js';
import { WriteLane } from './write-lane.js';
import { Writer } from './writer.js';

export type Key = string | Uint8Array;
export type Value = string | Uint8Array;

export interface SetOptions {
  /** The value expires so long after its commit; absent or 0 = never. */
  ttlMs?: number;
}

/** One write of a batch; without a value it deletes. */
export interface BatchEntry {
  key: Key;
  value?: Value | undefined;
  ttlMs?: number;
}

export interface BatchFailure {
  /** Of the entry in the batch. */
  index: number;
  /** `outcome` says whether the entry may have been written. */
  error: StormError;
}

export interface BatchResult {
  written: number;
  /** Rising by index; empty when everything is durable. */
  errors: BatchFailure[];
}

export interface Versioned {
  value: Buffer;
  version: number;
}

export interface Backlog {
  /** Writes whose promises are not settled. */
  writes: number;
  writesMax: number;
}

const EXPIRE_EVERY_MS = 20;

/** Checks the options and starts to connect at the first call. Throws INVALID_ARGUMENT. */
export function connect(options: ClientOptions): StormClient {
  return new StormClient(resolveOptions(options), systemClientTimers, openChannel);
}

export class StormClient {
  readonly #options: ResolvedOptions;
  readonly #timers: ClientTimers;
  readonly #channels: Channel[];
  readonly #lanes: WriteLane[];
  readonly #writer: Writer;
  readonly #reader: Reader;
  #stopExpiring: () => void = () => {};
  #isClosed = false;
  #next = 0;

  /** Use `connect`. */
  constructor(
    options: ResolvedOptions,
    timers: ClientTimers,
    open: (target: string, wallMs: () => number, security: ClientSecurity) => Channel,
  ) {
    this.#options = options;
    this.#timers = timers;
    this.#writer = new Writer(options, timers);
    this.#reader = new Reader(options, timers);
    const targets = options.endpoints.flatMap((endpoint) =>
      Array.from({ length: options.connections }, () => endpoint),
    );
    const wallMs = (): number => timers.wallMs();
    this.#channels = targets.map((target) => open(target, wallMs, options.security));
    const owner = {
      answered: this.#writer.answered.bind(this.#writer),
      lost: this.#writer.lost.bind(this.#writer),
      hasRoom: () => this.#writer.dispatch(),
    };
    this.#lanes = this.#channels.map(
      (channel) => new WriteLane(channel, owner, timers, options.flightsMax),
    );
    this.#writer.useLanes(this.#lanes);
    this.#reader.useChannels(this.#channels);
    this.#expireLater();
  }

  /** Resolves when the write is durable. Rejects with a StormError; see its `outcome`. */
  set(key: Key, value: Value, options: SetOptions = {}): Promise<void> {
    const ttlMs = options.ttlMs ?? 0;
    if (ttlMs !== 0) checkTtl(ttlMs);
    return this.#write(bytesOf(key), bytesOf(value), ttlMs);
  }

  /**
   * Writes only while the key has the version, or no value; resolves to the new version, rejects
   * with a VersionConflict that has the present one. Never repeated by itself.
   */
  setIf(key: Key, value: Value, options: ConditionalOptions): Promise<number> {
    const { deadlineMs } = this.#options;
    return conditionalSet(this.#channel(), bytesOf(key), bytesOf(value), options, deadlineMs);
  }

  /** Resolves when the key has surely no value any more. */
  delete(key: Key): Promise<void> {
    return this.#write(bytesOf(key), undefined, 0);
  }

  /** The value, undefined when the key has none. */
  async get(key: Key): Promise<Buffer | undefined> {
    return (await this.getVersioned(key))?.value;
  }

  /** The values of many keys, in their order: one promise, and as few messages as possible. */
  getMany(keys: readonly Key[]): Promise<(Buffer | undefined)[]> {
    const values = new Array<Buffer | undefined>(keys.length).fill(undefined);
    let open = keys.length;
    if (open === 0) return Promise.resolve(values);
    return new Promise((resolve, reject) => {
      keys.forEach((key, index) => {
        this.#reader.get(bytesOf(key), (error, found) => {
          if (error !== undefined) reject(error);
          else if (found !== undefined) values[index] = Buffer.from(found.value);
          if (--open === 0) resolve(values);
        });
      });
    });
  }

  /** The value and its version, undefined when the key has none. */
  getVersioned(key: Key): Promise<Versioned | undefined> {
    const bytes = bytesOf(key);
    return new Promise((resolve, reject) => {
      this.#reader.get(bytes, (error, found) => {
        if (error !== undefined) reject(error);
        else if (found === undefined) resolve(undefined);
        else resolve({ value: Buffer.from(found.value), version: found.version });
      });
    });
  }

  /**
   * Writes all entries, the part of each shard as one: entries whose keys share a `{tag}` are
   * written all or none. Resolves when each is settled; what failed is named in `errors`.
   */
  batch(entries: Iterable<BatchEntry>): Promise<BatchResult> {
    const builder = new RunBuilder();
    for (const { key, value, ttlMs = 0 } of entries) {
      if (ttlMs !== 0) checkTtl(ttlMs);
      if (value === undefined) builder.delete(bytesOf(key));
      else builder.put(bytesOf(key), bytesOf(value), ttlMs);
    }
    return this.#writeRun(builder.runView(), builder.count);
  }

  /**
   * As `batch`, for who has an entry run already (docs/formats/entry-run.md): the fastest way in.
   * `run` must not change before the promise is settled.
   */
  batchPacked(run: Uint8Array): Promise<BatchResult> {
    const reader = new RunReader();
    reader.reset(run, 0, run.length);
    while (reader.next());
    return this.#writeRun(run, reader.count);
  }

  /** Entries in the order of their keys; fetched page by page as they are taken. */
  async *scan(options: ScanOptions = {}): AsyncGenerator<ScanEntry> {
    const { deadlineMs } = this.#options;
    yield* scanPages(() => this.#channel(), options, deadlineMs, this.#timers);
  }

  /**
   * A stream of writes: objects as in `batch`. It takes no more than the backlog holds; `finish`
   * comes when everything is durable, `error` with the first write that failed for good.
   */
  writable(): Writable {
    return writableOf({
      write: ({ key, value, ttlMs = 0 }, settle) => {
        if (ttlMs !== 0) checkTtl(ttlMs);
        const bytes = value === undefined ? undefined : bytesOf(value);
        this.#writer.write(bytesOf(key), bytes, ttlMs, settle);
      },
      hasRoom: () => this.#writer.hasRoom,
      room: () => this.#writer.room(),
    });
  }

  /** How much is on its way. */
  get backlog(): Backlog {
    const { backlogEntriesMax } = this.#options;
    return { writes: this.#writer.backlogEntries, writesMax: backlogEntriesMax };
  }

  /** Waits until every write is settled, then disconnects. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#writer.drained();
    this.#writer.close();
    this.#reader.close();
    this.#stopExpiring();
    for (const lane of this.#lanes) lane.close();
  }

  #write(key: Uint8Array, value: Uint8Array | undefined, ttlMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#writer.write(key, value, ttlMs, (error) => {
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  }

  #writeRun(run: Uint8Array, count: number): Promise<BatchResult> {
    if (count === 0) return Promise.resolve({ written: 0, errors: [] });
    return new Promise((resolve, reject) => {
      const owner = new BatchWrite(count, resolve);
      try {
        this.#writer.writeRun(run, count, owner, this.#options.deadlineMs);
      } catch (error) {
        reject(error);
      }
    });
  }

  #channel(): Channel {
    const channel = this.#channels[this.#next++ % this.#channels.length];
    if (channel === undefined || this.#isClosed) {
      throw new StormError('FAILED_PRECONDITION', 'The client is closed');
    }
    return channel;
  }

  #expireLater(): void {
    this.#stopExpiring = this.#timers.after(EXPIRE_EVERY_MS, () => {
      this.#writer.expire(this.#timers.monotonicMs());
      this.#expireLater();
    });
  }
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? Buffer.from(content) : content;
}
