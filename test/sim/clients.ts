/**
 * Simulated clients: each sends operations to the router, straight into its core, and tells the
 * model what it sent and what it was answered. A client has a few calls open at a time and thinks
 * in between; some are in a hurry, some read their scans slowly.
 */
import {
  deleteLength,
  expiringPutLength,
  putLength,
  RUN_FORMAT,
  writeDelete,
  writeExpiringPut,
  writePut,
} from '../../src/base/entry-run.js';
import { messageOf, StormError } from '../../src/base/errors.js';
import { VersionConflict } from '../../src/base/version-conflict.js';
import type { KvScan, ScanPage } from '../../src/rpc/kv-operations.js';
import type { Wall, Write } from './model.js';
import { type Entry, encodeValue, type Key, type Model, nameOf, type Snapshot } from './model.js';
import type { Scheduler } from './scheduler.js';
import type { SimRouter } from './sim-router.js';

/** What a seed's clients do, in parts of a whole. */
export interface Mix {
  set: number;
  delete: number;
  get: number;
  batch: number;
  conditional: number;
  multiGet: number;
  scan: number;
  fullScan: number;
}
type Kind = keyof Mix;

export interface ClientOptions {
  scheduler: Scheduler;
  model: Model;
  /** Keys with the same tag, so on one shard. */
  groups: readonly (readonly Key[])[];
  mix: Mix;
  clients: number;
  /** Calls that one client has open. */
  window: number;
  thinkMs: number;
  ttlChance: number;
  hurryChance: number;
  operations: number;
  /** The one that a client is connected to. */
  router: (client: number) => SimRouter | undefined;
  /** Yields to other threads in the middle of a turn of the router. */
  onAnswer: () => void;
  /** The process is gone, though its threads may not have noticed. */
  isDown: () => boolean;
  fail: (text: string) => void;
}

/** Calls that a client sends at once; when all are answered it thinks, and goes on. */
interface Burst {
  readonly client: number;
  left: number;
  isRefused: boolean;
}

/** One call, from when it is sent until it is answered. */
interface Call {
  readonly number: number;
  readonly burst: Burst;
  readonly kind: string;
  readonly sentMs: number;
  isAnswered: boolean;
  readonly writes: Write[];
}

const CODES = ['UNAVAILABLE', 'RESOURCE_EXHAUSTED', 'DEADLINE_EXCEEDED'];
const RETRY_MS = 3;
/** Who is refused waits up to so long. */
const REFUSED_MS = 20;

export class Clients {
  readonly #options: ClientOptions;
  readonly #kinds: Kind[];
  readonly #thread;
  readonly #open = new Set<Call>();
  #issued = 0;
  answered = 0;
  acknowledged = 0;
  refusals = 0;
  unknowns = 0;
  /** Codes that a failing disk excuses, for the time being. */
  excuses: readonly string[] = [];

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#kinds = Object.entries(options.mix).flatMap(([kind, parts]) =>
      Array.from({ length: parts }, () => kind as Kind),
    );
    this.#thread = options.scheduler.thread('clients');
  }

  get issued(): number {
    return this.#issued;
  }

  get openCount(): number {
    return this.#open.size;
  }

  get isDone(): boolean {
    return this.#issued >= this.#options.operations && this.#open.size === 0;
  }

  oldestCall(): string {
    for (const { number, kind, sentMs } of this.#open) return `${kind} ${number}, sent ${sentMs}`;
    return 'none';
  }

  start(): void {
    for (let client = 0; client < this.#options.clients; client++) this.#think(client);
  }

  /** The process is gone, and with it every connection. */
  disconnected(): void {
    const calls = [...this.#open];
    const bursts = new Set(calls.map(({ burst }) => burst));
    this.#open.clear();
    for (const call of calls) {
      call.isAnswered = true;
      for (const write of call.writes) {
        if (write.state !== 'sent') continue;
        this.#options.model.unknown(write);
        this.unknowns++;
      }
    }
    for (const { client } of bursts) this.#think(client);
  }

  #think(client: number, isRefused = false): void {
    const { scheduler, thinkMs } = this.#options;
    if (this.#issued >= this.#options.operations) return;
    const slower = isRefused ? scheduler.between(2, REFUSED_MS) : 0;
    const ms = slower + (scheduler.random.chance(0.3) ? 0 : scheduler.between(0, 2 * thinkMs));
    scheduler.after(this.#thread, ms, () => this.#reach(client));
  }

  /** Waits until there is a door; the rest happens on the router's thread. */
  #reach(client: number): void {
    const { scheduler } = this.#options;
    const router = this.#options.router(client);
    if (router === undefined || !router.isOpen || router.isDraining || router.thread.isDead) {
      scheduler.after(this.#thread, RETRY_MS, () => this.#reach(client));
      return;
    }
    const token = { isDone: false };
    scheduler.after(router.thread, scheduler.between(0.01, 0.05), () => {
      token.isDone = true;
      if (router.isDraining) scheduler.after(this.#thread, RETRY_MS, () => this.#reach(client));
      else this.#burst(router, client);
    });
    // The router may be gone before it looks.
    scheduler.after(this.#thread, 50, () => this.#unlessReached(router, client, token));
  }

  #unlessReached(router: SimRouter, client: number, token: { isDone: boolean }): void {
    const { scheduler } = this.#options;
    if (token.isDone) return;
    if (router.thread.isDead) this.#reach(client);
    else scheduler.after(this.#thread, 50, () => this.#unlessReached(router, client, token));
  }

  #burst(router: SimRouter, client: number): void {
    const { window, operations, scheduler } = this.#options;
    const count = Math.min(1 + scheduler.random.nextInt(window), operations - this.#issued);
    const burst: Burst = { client, left: count, isRefused: false };
    if (count <= 0) return;
    for (let i = 0; i < count; i++) this.#issue(router, burst);
  }

  #issue(router: SimRouter, burst: Burst): void {
    const kind = this.#options.scheduler.random.pick(this.#kinds);
    switch (kind) {
      case 'set':
        this.#write(router, burst, false);
        return;
      case 'delete':
        this.#write(router, burst, true);
        return;
      case 'get':
        this.#get(router, burst);
        return;
      case 'batch':
        this.#batch(router, burst);
        return;
      case 'conditional':
        this.#conditional(router, burst);
        return;
      case 'multiGet':
        this.#multiGet(router, burst);
        return;
      default:
        this.#scan(router, burst, kind === 'fullScan');
    }
  }

  #begin(kind: string, burst: Burst): Call {
    const { now } = this.#options.scheduler;
    const number = this.#issued++;
    const call = { number, burst, kind, sentMs: now, isAnswered: false, writes: [] };
    this.#open.add(call);
    return call;
  }

  /** False when the answer comes too late to count: the process is gone. */
  #end(call: Call, result: () => string): boolean {
    if (this.#options.isDown()) return false;
    const { trace } = this.#options.scheduler;
    if (!this.#open.delete(call)) {
      this.#options.fail(`${call.kind} ${call.number} was answered twice`);
      return false;
    }
    call.isAnswered = true;
    this.answered++;
    trace.add(call.number);
    trace.line(() => `${call.kind} ${call.number}: ${result()}`);
    this.#options.onAnswer();
    return true;
  }

  #done({ burst }: Call): void {
    if (--burst.left === 0) this.#think(burst.client, burst.isRefused);
  }

  #wall(): Wall {
    const { scheduler } = this.#options;
    return { wallMs: scheduler.wallMs(), jumps: scheduler.jumps };
  }

  #timeout(): number {
    const { scheduler, hurryChance } = this.#options;
    return scheduler.random.chance(hurryChance) ? 1 + scheduler.random.nextInt(60) : 2000;
  }

  #key(): Key {
    const { scheduler, groups } = this.#options;
    // A quarter of all goes to one group.
    const { random } = scheduler;
    const group = random.chance(0.25) ? groups[0] : random.pick(groups);
    return random.pick(group ?? []);
  }

  #ttl(): number {
    const { scheduler, ttlChance } = this.#options;
    return scheduler.random.chance(ttlChance) ? 1 + scheduler.random.nextInt(400) : 0;
  }

  #send(router: SimRouter, call: Call, entries: Entry[], ttlMs: number): Write {
    const life = router.lives[entries[0]?.key.shard ?? 0] ?? 0;
    const write = this.#options.model.send(entries, life, ttlMs, this.#wall());
    call.writes.push(write);
    return write;
  }

  #failed(call: Call, write: Write, error: StormError): void {
    call.burst.isRefused = true;
    const { model, fail } = this.#options;
    if (!CODES.includes(error.code) && !this.excuses.includes(error.code)) {
      fail(`Write ${write.id} failed with ${error.code}: ${messageOf(error)}`);
    }
    if (error.outcome === 'not-applied') {
      this.refusals++;
      model.refused(write);
    } else {
      this.unknowns++;
      model.unknown(write);
    }
  }

  #failedRead(call: Call, error: StormError): void {
    call.burst.isRefused = true;
    if (CODES.includes(error.code) || this.excuses.includes(error.code)) return;
    this.#options.fail(`${call.kind} ${call.number} failed with ${error.code}: ${error.message}`);
  }

  #write(router: SimRouter, burst: Burst, isDelete: boolean): void {
    const key = this.#key();
    const call = this.#begin(isDelete ? 'delete' : 'set', burst);
    const ttlMs = isDelete ? 0 : this.#ttl();
    const write = this.#send(router, call, [{ key, isDelete }], ttlMs);
    const answer = (error: StormError | undefined, version: number): void => {
      if (!this.#end(call, () => `${nameOf(key)} ${error?.code ?? version}`)) return;
      if (error === undefined) {
        this.acknowledged++;
        this.#options.model.applied(write, version, this.#wall());
      } else this.#failed(call, write, error);
      this.#done(call);
    };
    if (isDelete) router.router.delete(key.bytes, this.#timeout(), answer);
    else router.router.set(key.bytes, encodeValue(write.id, 0), this.#timeout(), answer, { ttlMs });
  }

  #conditional(router: SimRouter, burst: Burst): void {
    const { model, scheduler } = this.#options;
    const key = this.#key();
    const call = this.#begin('conditional', burst);
    const before = model.look(key);
    const fate = scheduler.random.nextInt(4);
    const ifVersion = fate === 0 ? 0 : Math.max(0, before.known - (fate === 1 ? 1 : 0));
    const write = this.#send(router, call, [{ key, isDelete: false }], 0);
    const answer = (error: StormError | undefined, version: number): void => {
      const text = () => `${nameOf(key)} if ${ifVersion}: ${error?.message ?? version}`;
      if (!this.#end(call, text)) return;
      const now = this.#wall();
      if (error === undefined) {
        this.acknowledged++;
        model.applied(write, version, now);
        model.conditionHeld(write, ifVersion, before, now);
      } else if (error instanceof VersionConflict) {
        model.refused(write);
        model.conflicted(key, error.version, ifVersion, before, now);
      } else this.#failed(call, write, error);
      this.#done(call);
    };
    const value = encodeValue(write.id, 0);
    router.router.set(key.bytes, value, this.#timeout(), answer, { ifVersion });
  }

  #get(router: SimRouter, burst: Burst): void {
    const { model } = this.#options;
    const key = this.#key();
    const call = this.#begin('get', burst);
    const before = model.look(key);
    const sent = this.#wall();
    router.router.get(key.bytes, this.#timeout(), (error, value, version) => {
      if (!this.#end(call, () => `${nameOf(key)} ${error?.code ?? version}`)) return;
      if (error !== undefined) this.#failedRead(call, error);
      else if (value === undefined) model.missing(key, before, this.#wall());
      else model.found(key, value, version, before, sent, this.#wall());
      this.#done(call);
    });
  }

  #multiGet(router: SimRouter, burst: Burst): void {
    const { model, groups, scheduler } = this.#options;
    const keys = [...scheduler.random.pick(groups), this.#key()];
    const call = this.#begin('multi-get', burst);
    const before = keys.map((key) => model.look(key));
    const sent = this.#wall();
    router.router.batchGet(
      keys.map(({ bytes }) => bytes),
      this.#timeout(),
      (error, results) => {
        if (!this.#end(call, () => error?.code ?? `${results.length} results`)) return;
        if (error !== undefined) this.#failedRead(call, error);
        else {
          keys.forEach((key, i) => {
            const looked = before[i] as Snapshot;
            const result = results[i];
            if (result === undefined) model.missing(key, looked, this.#wall());
            else model.found(key, result.value, result.sequence, looked, sent, this.#wall());
          });
        }
        this.#done(call);
      },
    );
  }

  /** Entries of one or two tags; each tag's part is a write of its own to the model. */
  #batch(router: SimRouter, burst: Burst): void {
    const { model, groups, scheduler } = this.#options;
    const { random } = scheduler;
    const call = this.#begin('batch', burst);
    const ttlMs = this.#ttl();
    const byShard = new Map<number, Entry[]>();
    const all: Entry[] = [];
    for (let tags = 1 + random.nextInt(2); tags > 0; tags--) {
      for (const key of random.pick(groups)) {
        if (all.some((entry) => entry.key === key) || random.chance(0.3)) continue;
        const entry = { key, isDelete: random.chance(0.15) };
        all.push(entry);
        const part = byShard.get(key.shard) ?? [];
        part.push(entry);
        byShard.set(key.shard, part);
      }
    }
    const writes = [...byShard.values()].map((part) => this.#send(router, call, part, ttlMs));
    const writeOf = (entry: Entry) => writes.find(({ entries }) => entries.includes(entry));
    const run = encodeRun(all, ttlMs, writeOf);
    router.router.batchSet({ run }, this.#timeout(), (error, { written, errors }) => {
      const text = () => error?.code ?? `${written} written, ${errors.length} not`;
      if (!this.#end(call, text)) return;
      for (const write of writes) {
        const own = errors.filter(({ index }) => writeOf(all[index] as Entry) === write);
        const why = error ?? own[0]?.error;
        if (error === undefined && own.length > 0 && own.length < write.entries.length) {
          this.#options.fail(`Batch ${call.number} is written in part`);
        }
        if (why === undefined) {
          this.acknowledged++;
          model.applied(write, 0, this.#wall());
        } else this.#failed(call, write, why);
      }
      this.#done(call);
    });
  }

  #scan(router: SimRouter, burst: Burst, isFull: boolean): void {
    const { groups, scheduler } = this.#options;
    const { random } = scheduler;
    const keys = isFull ? groups.flat() : [...random.pick(groups)];
    const call = this.#begin(isFull ? 'full scan' : 'scan', burst);
    const first = keys[0] as Key;
    const prefix = isFull ? undefined : first.bytes.subarray(0, first.bytes.indexOf('}') + 1);
    const reverse = random.chance(0.3);
    let scan: KvScan;
    try {
      const bytesMax = random.chance(0.5) ? 200 : 0;
      scan = router.router.scan({ prefix, reverse, bytesMax });
    } catch (error) {
      if (this.#end(call, () => messageOf(error)) && error instanceof StormError) {
        this.#failedRead(call, error);
      }
      this.#done(call);
      return;
    }
    new ScanReader(this.#options, router, scan, keys, reverse).read(
      () => this.#wall(),
      (error, count) => {
        if (call.isAnswered || !this.#end(call, () => error?.code ?? `${count} entries`)) return;
        if (error !== undefined) {
          if (error.code !== 'FAILED_PRECONDITION') this.#failedRead(call, error);
        }
        this.#done(call);
      },
    );
  }
}

/** Reads a scan page by page and judges it. */
class ScanReader {
  readonly #options: ClientOptions;
  readonly #router: SimRouter;
  readonly #scan: KvScan;
  readonly #keys: readonly Key[];
  readonly #byName: Map<string, Key>;
  readonly #reverse: boolean;
  readonly #before: Map<Key, Snapshot>;
  readonly #floors: number[];
  readonly #shown = new Map<Key, number>();
  #last: Buffer | undefined;
  #isFresh = false;
  #sent: Wall | undefined;

  constructor(
    options: ClientOptions,
    router: SimRouter,
    scan: KvScan,
    keys: readonly Key[],
    reverse: boolean,
  ) {
    const { model } = options;
    this.#options = options;
    this.#router = router;
    this.#scan = scan;
    this.#keys = keys;
    this.#byName = new Map(keys.map((key) => [nameOf(key), key]));
    this.#reverse = reverse;
    this.#before = new Map(keys.map((key) => [key, model.look(key)]));
    this.#floors = model.shards.map(({ known }) => known);
  }

  read(wall: () => Wall, done: (error: StormError | undefined, count: number) => void): void {
    const { scheduler } = this.#options;
    // Pages of shards are kept until they are used up: expiry was judged when they were fetched.
    this.#sent ??= wall();
    const sent = this.#sent;
    this.#scan.nextPage(2000, (error, page) => {
      if (error !== undefined || page === undefined) {
        done(error, 0);
        return;
      }
      this.#page(page, sent, wall());
      if (page.isLast) {
        this.#judge(wall());
        done(undefined, this.#shown.size);
        return;
      }
      // A slow reader now and then.
      const pause = scheduler.random.chance(0.05) ? scheduler.between(0, 100) : 0.02;
      scheduler.after(this.#router.thread, pause, () => this.read(wall, done));
    });
  }

  #page({ entries, freshSnapshot }: ScanPage, sent: Wall, now: Wall): void {
    const { model, fail } = this.#options;
    if (freshSnapshot) this.#isFresh = true;
    for (const { key: bytes, value, version } of entries) {
      const order = this.#last === undefined ? 1 : Buffer.compare(bytes, this.#last);
      if (this.#last !== undefined && (this.#reverse ? order >= 0 : order <= 0)) {
        fail(`A scan goes from ${this.#last.toString()} to ${bytes.toString()}`);
      }
      this.#last = Buffer.from(bytes);
      const key = this.#byName.get(bytes.toString());
      const before = key === undefined ? undefined : this.#before.get(key);
      if (key === undefined || before === undefined || value === undefined) {
        fail(`A scan has ${bytes.toString()}, which is not in its range`);
        return;
      }
      this.#shown.set(key, version);
      model.found(key, value, version, before, sent, now);
    }
  }

  #judge(now: Wall): void {
    const { model } = this.#options;
    for (const key of this.#keys) {
      const before = this.#before.get(key);
      if (before !== undefined && !this.#shown.has(key)) model.missing(key, before, now);
    }
    if (this.#isFresh) return;
    this.#floors.forEach((floor, shard) => {
      const own = this.#keys.filter((key) => key.shard === shard);
      if (own.length > 0) model.snapshot(own, this.#shown, floor);
    });
  }
}

function encodeRun(
  entries: readonly Entry[],
  ttlMs: number,
  writeOf: (entry: Entry) => Write | undefined,
): Uint8Array {
  let length = 1;
  const values = entries.map((entry) => {
    const write = writeOf(entry);
    const { key, isDelete } = entry;
    const { length: keyLength } = key.bytes;
    if (write === undefined || isDelete) {
      length += deleteLength(keyLength);
      return undefined;
    }
    const value = encodeValue(write.id, write.entries.indexOf(entry));
    length +=
      ttlMs > 0 ? expiringPutLength(keyLength, value.length) : putLength(keyLength, value.length);
    return value;
  });
  const run = new Uint8Array(length);
  run[0] = RUN_FORMAT;
  let at = 1;
  entries.forEach(({ key }, i) => {
    const value = values[i];
    if (value === undefined) at = writeDelete(run, at, key.bytes);
    else if (ttlMs > 0) at = writeExpiringPut(run, at, key.bytes, value, ttlMs);
    else at = writePut(run, at, key.bytes, value);
  });
  return run;
}
