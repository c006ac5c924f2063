/**
 * What clients were told, and whether it can all be true. Versions are sequence numbers of the
 * shards, so they order the writes of a key, and one look per answer is enough:
 *
 * - A version is above everything that was known of its shard when its write was sent, belongs to
 *   one write, and to the life of the shard that the write was sent to.
 * - A read sees the newest version that was known of its key when it was sent, or a younger one.
 * - A write that was refused is never seen; one whose fate is unknown may be, for ever.
 * - Of a batch's part all entries have neighbouring versions, and are known together.
 * - A shard comes back with everything that was known of it.
 */

/** A key as the model knows it. */
export interface Key {
  readonly index: number;
  readonly bytes: Buffer;
  readonly shard: number;
  /** Versions whose writes are known, rising. */
  readonly history: Version[];
  /** No answer to a read sent from now on may be older than this. */
  known: number;
  /** Whether `known` itself may be read: it is a put. */
  isAlive: boolean;
  /** The put behind `known`, if it may expire. */
  expiring: Write | undefined;
  /** Deletes and expiring puts whose versions are not known. */
  open: Write[];
  /** Between these two versions there is none: a condition held. */
  readonly gaps: [low: number, high: number][];
}

export interface Version {
  version: number;
  write: Write;
  index: number;
}

export interface Entry {
  key: Key;
  isDelete: boolean;
}

/** A write of one or more entries, all of one shard. */
export interface Write {
  readonly id: number;
  readonly shard: number;
  /** Of the shard, that it was sent to. */
  readonly life: number;
  readonly entries: readonly Entry[];
  readonly ttlMs: number;
  /** Highest version known of the shard when it was sent. */
  readonly floor: number;
  readonly wallMs: number;
  readonly jumps: number;
  state: 'sent' | 'applied' | 'refused' | 'unknown';
  /** Of its first entry; 0 = not known. */
  base: number;
  /** It cannot expire before this; −Infinity when the clock was set meanwhile. */
  expiresFrom: number;
  expiresBy: number;
}

export interface Snapshot {
  known: number;
  isAlive: boolean;
  expiring: Write | undefined;
}

interface Shard {
  life: number;
  /** Versions up to this were known, by clients or by the shard itself. */
  known: number;
  /** The last sequence with which each life began; the lives count from 1. */
  begins: number[];
  byVersion: Map<number, Write>;
}

export interface Wall {
  wallMs: number;
  jumps: number;
}

export class Violation extends Error {
  override readonly name = 'Violation';
}

const FILLERS = Array.from({ length: 64 }, (_, i) => Buffer.alloc(512, 32 + i));
const VALUE_HEADER_BYTES = 8;

export class Model {
  readonly keys: Key[];
  readonly shards: Shard[];
  readonly writes: Write[] = [];
  readonly #fail: (text: string) => void;

  constructor(keys: { bytes: Buffer; shard: number }[], shards: number, fail: (t: string) => void) {
    this.#fail = fail;
    this.keys = keys.map(({ bytes, shard }, index) => ({
      index,
      bytes,
      shard,
      history: [],
      known: 0,
      isAlive: false,
      expiring: undefined,
      open: [],
      gaps: [],
    }));
    this.shards = Array.from({ length: shards }, () => ({
      life: 0,
      known: 0,
      begins: [0],
      byVersion: new Map(),
    }));
  }

  lifeBegins(shard: number): number {
    return ++this.#shard(shard).life;
  }

  /** A shard recovered: with all that was known of it. */
  lifeReady(shard: number, life: number, lastSequence: number): void {
    const state = this.#shard(shard);
    if (lastSequence < state.known) {
      this.#fail(`Shard ${shard} lost writes: it ends at ${lastSequence}, known is ${state.known}`);
    }
    while (state.begins.length <= life) state.begins.push(lastSequence);
    state.known = lastSequence;
  }

  send(entries: Entry[], life: number, ttlMs: number, wall: Wall): Write {
    const shard = entries[0]?.key.shard ?? 0;
    const write: Write = {
      id: this.writes.length,
      shard,
      life,
      entries,
      ttlMs,
      floor: this.#shard(shard).known,
      wallMs: wall.wallMs,
      jumps: wall.jumps,
      state: 'sent',
      base: 0,
      expiresFrom: wall.wallMs + ttlMs,
      expiresBy: Infinity,
    };
    this.writes.push(write);
    for (const { key, isDelete } of entries) if (isDelete || ttlMs > 0) key.open.push(write);
    return write;
  }

  /** It is durable; `version` 0 = not told. */
  applied(write: Write, version: number, wall: Wall): void {
    this.#answered(write, 'applied');
    if (write.jumps === wall.jumps) write.expiresBy = wall.wallMs + write.ttlMs;
    if (version > 0) this.#learn(write, version, wall);
    if (write.base > 0) this.#advance(write);
    else {
      // Somewhere above what was known when it was sent.
      write.entries.forEach((_, i) => {
        this.#raise(write, i, write.floor + 1 + i);
      });
    }
  }

  refused(write: Write): void {
    this.#answered(write, 'refused');
    this.#close(write);
    if (write.base > 0) this.#fail(`Write ${write.id} was seen, and then refused`);
  }

  unknown(write: Write): void {
    this.#answered(write, 'unknown');
  }

  look(key: Key): Snapshot {
    const { known, isAlive, expiring } = key;
    return { known, isAlive, expiring };
  }

  /** A read that was sent when the key looked like `before` found this. */
  found(key: Key, value: Uint8Array, version: number, before: Snapshot, sent: Wall, now: Wall) {
    const { id, index } = decodeValue(value);
    const write = this.writes[id];
    const entry = write?.entries[index];
    if (write === undefined || entry === undefined) {
      this.#fail(`${nameOf(key)} has a value that nobody wrote`);
      return;
    }
    const what = `${nameOf(key)} is read as write ${id}, version ${version}`;
    if (entry.key !== key || entry.isDelete) this.#fail(`${what}, which wrote something else`);
    if (!isWhole(value, id)) this.#fail(`${what}, and its bytes are damaged`);
    if (write.state === 'refused') this.#fail(`${what}, which was refused`);
    this.#learn(write, version - index, now);
    if (version < before.known || (version === before.known && !before.isAlive)) {
      this.#fail(`${what}, but version ${before.known} was known`);
    }
    const isSameTime = sent.jumps === write.jumps && sent.jumps === now.jumps;
    if (write.ttlMs > 0 && isSameTime && sent.wallMs > write.expiresBy) {
      this.#fail(`${what}, which expired by ${write.expiresBy}: it is ${sent.wallMs}`);
    }
    this.#advance(write);
  }

  /** A read found no value. */
  missing(key: Key, before: Snapshot, now: Wall): void {
    if (!this.#mayBeMissing(key, before, now)) {
      this.#fail(`${nameOf(key)} is missing, but version ${before.known} was known`);
    }
    if (key.known === before.known && before.expiring === undefined) key.isAlive = false;
  }

  /** A condition did not hold, because the key had this version. */
  conflicted(key: Key, version: number, expected: number, before: Snapshot, now: Wall): void {
    if (version === expected) this.#fail(`${nameOf(key)}: the condition held and was refused`);
    if (version === 0) this.missing(key, before, now);
    else if (version < before.known) {
      this.#fail(`${nameOf(key)} conflicts at ${version}, but version ${before.known} was known`);
    }
  }

  /** A condition held, for a write that has a version now. */
  conditionHeld(write: Write, expected: number, before: Snapshot, now: Wall): void {
    const [entry] = write.entries;
    if (entry === undefined) return;
    const { key } = entry;
    const what = `${nameOf(key)}: the condition ${expected} held for version ${write.base}`;
    if (expected === 0) {
      if (!this.#mayBeMissing(key, before, now)) {
        this.#fail(`${what}, but version ${before.known} was known`);
      }
      return;
    }
    if (expected < before.known) this.#fail(`${what}, but version ${before.known} was known`);
    key.gaps.push([expected, write.base]);
    for (const { version } of key.history) {
      if (version > expected && version < write.base) this.#fail(`${what} above ${version}`);
    }
  }

  /**
   * What a snapshot of one shard showed of these keys: there must be a sequence number at which
   * just this was so. `shown` has 0 for a key that was not there.
   */
  snapshot(keys: readonly Key[], shown: ReadonlyMap<Key, number>, floor: number): void {
    let low = floor;
    let high = Infinity;
    for (const key of keys) {
      const version = shown.get(key) ?? 0;
      if (version === 0) continue;
      const last = this.#shard(key.shard).byVersion.get(version);
      low = Math.max(low, last === undefined ? version : last.base + last.entries.length - 1);
      for (const one of key.history) {
        if (one.version > version) high = Math.min(high, one.version);
      }
    }
    for (let moved = true; moved && low < high; ) {
      moved = false;
      for (const key of keys) {
        if ((shown.get(key) ?? 0) > 0 || key.open.length > 0) continue;
        const at = this.#aliveAt(key, low);
        if (at < low) continue;
        low = at;
        moved = true;
      }
    }
    if (low >= high)
      this.#fail(`A scan of shard ${keys[0]?.shard} is no snapshot: ${low}, ${high}`);
  }

  shardKnown(shard: number): number {
    return this.#shard(shard).known;
  }

  /** Where the key had a value at `sequence`: the next version above; else −1. */
  #aliveAt({ history }: Key, sequence: number): number {
    for (let i = history.length - 1; i >= 0; i--) {
      const one = history[i];
      if (one === undefined || one.version > sequence) continue;
      if (one.write.entries[one.index]?.isDelete || one.write.ttlMs > 0) return -1;
      return history[i + 1]?.version ?? Infinity;
    }
    return -1;
  }

  #mayBeMissing(key: Key, before: Snapshot, now: Wall): boolean {
    if (!before.isAlive) return true;
    if (before.expiring !== undefined && mayHaveExpired(before.expiring, now)) return true;
    for (const write of key.open) {
      if (this.#lastOf(write) <= before.known) continue;
      if (write.entries.some(({ key: k, isDelete }) => k === key && isDelete)) return true;
      if (mayHaveExpired(write, now)) return true;
    }
    for (let i = key.history.length - 1; i >= 0; i--) {
      const one = key.history[i];
      if (one === undefined || one.version <= before.known) return false;
      if (one.write.entries[one.index]?.isDelete) return true;
      if (one.write.ttlMs > 0 && mayHaveExpired(one.write, now)) return true;
    }
    return false;
  }

  /** The highest version that it can have. */
  #lastOf({ shard, life }: Write): number {
    return this.#shard(shard).begins[life + 1] ?? Infinity;
  }

  #answered(write: Write, state: Write['state']): void {
    if (write.state !== 'sent') {
      this.#fail(`Write ${write.id} is ${state}, but it was ${write.state} already`);
    }
    write.state = state;
  }

  #learn(write: Write, base: number, now: Wall): void {
    if (write.base > 0) {
      if (write.base === base) return;
      this.#fail(`Write ${write.id} has version ${write.base} and version ${base}`);
    }
    write.base = base;
    if (write.jumps !== now.jumps) write.expiresFrom = -Infinity;
    const shard = this.#shard(write.shard);
    const last = base + write.entries.length - 1;
    const what = `Write ${write.id}, version ${base}, sent to life ${write.life}`;
    if (base <= write.floor) this.#fail(`${what}, is below ${write.floor}, known when it was sent`);
    if (last > this.#lastOf(write)) {
      this.#fail(`${what}, was applied by a later life, after ${this.#lastOf(write)}`);
    }
    write.entries.forEach(({ key }, index) => {
      const version = base + index;
      if (shard.byVersion.has(version)) this.#fail(`${what}, has the version of another write`);
      shard.byVersion.set(version, write);
      for (const [low, high] of key.gaps) {
        if (version > low && version < high) this.#fail(`${what}, breaks the gap ${low}…${high}`);
      }
      let at = key.history.length;
      while (at > 0 && (key.history[at - 1]?.version ?? 0) > version) at--;
      key.history.splice(at, 0, { version, write, index });
    });
    shard.known = Math.max(shard.known, last);
    this.#close(write);
  }

  /** Its entries are durable: no later read may be older. */
  #advance(write: Write): void {
    for (let i = 0; i < write.entries.length; i++) this.#raise(write, i, write.base + i);
  }

  #raise(write: Write, index: number, version: number): void {
    const entry = write.entries[index];
    if (entry === undefined) return;
    const { key, isDelete } = entry;
    if (version <= key.known) return;
    key.known = version;
    key.isAlive = !isDelete;
    key.expiring = write.ttlMs > 0 ? write : undefined;
  }

  #close(write: Write): void {
    for (const { key } of write.entries) {
      const at = key.open.indexOf(write);
      if (at >= 0) key.open.splice(at, 1);
    }
  }

  #shard(shard: number): Shard {
    const state = this.shards[shard];
    if (state === undefined) throw new Error(`There is no shard ${shard}`);
    return state;
  }
}

function mayHaveExpired(write: Write, now: Wall): boolean {
  return write.jumps !== now.jumps || now.wallMs >= write.expiresFrom;
}

export function nameOf({ bytes }: Key): string {
  return bytes.toString();
}

/** Says which entry of which write it is; the rest is filled so that damage shows. */
export function encodeValue(id: number, index: number): Buffer {
  const value = Buffer.allocUnsafe(VALUE_HEADER_BYTES + fillerLength(id));
  value.writeUInt32LE(id, 0);
  value.writeUInt32LE(index, 4);
  FILLERS[id % FILLERS.length]?.copy(value, VALUE_HEADER_BYTES, 0, fillerLength(id));
  return value;
}

function decodeValue(value: Uint8Array): { id: number; index: number } {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  if (value.length < VALUE_HEADER_BYTES) return { id: -1, index: -1 };
  return { id: view.getUint32(0, true), index: view.getUint32(4, true) };
}

function isWhole(value: Uint8Array, id: number): boolean {
  const length = fillerLength(id);
  const filler = FILLERS[id % FILLERS.length];
  if (value.length !== VALUE_HEADER_BYTES + length || filler === undefined) return false;
  return filler.compare(value, VALUE_HEADER_BYTES, value.length, 0, length) === 0;
}

function fillerLength(id: number): number {
  return (Math.imul(id, 0x9e3779b1) >>> 8) % (id % 16 === 0 ? 500 : 60);
}
