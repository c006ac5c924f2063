/**
 * Random operations on a shard, each answer compared with a sorted map: the judge of everything
 * that happens between a request and the files. A seed decides all of it.
 */

import { messageOf } from '../../src/base/errors.js';
import { RunBuilder } from '../../src/base/run-builder.js';
import type { EngineOptions } from '../../src/rpc/control.js';
import type { Condition } from '../../src/rpc/write-messages.js';
import type { Reply } from './actor-rig.js';
import { smallOptions } from './engine-rig.js';
import {
  KEYS,
  narrowPrefix,
  randomPrefix,
  randomRank,
  rankOf,
  ranksBelow,
  ranksOfPrefix,
} from './model-keys.js';
import { type Ending, ModelShard } from './model-shard.js';
import {
  type Contents,
  type ModelChange,
  ModelStore,
  type Stored,
  visibleRanks,
} from './model-store.js';
import { SeededRandom } from './seeded-random.js';

/** How often each thing happened: a test of nothing would show. */
export interface Tally {
  operations: number;
  writes: number;
  conflicts: number;
  refused: number;
  reads: number;
  found: number;
  pages: number;
  closedSnapshots: number;
  prefixesDeleted: number;
  lives: number;
  flushes: number;
  merges: number;
}

type WriteRequest =
  | { kind: 'batch'; changes: ModelChange[]; conditions: Condition[] }
  | { kind: 'expire'; rank: number; ttlMs: number };

interface OpenScan {
  readonly snapshotId: number;
  readonly contents: Contents;
  readonly reverse: boolean;
  readonly openedMs: number;
  readonly life: number;
  usedMs: number;
  /** Where the next page begins, as the shard said, and the ranks that it may have. */
  from: Uint8Array | undefined;
  to: Uint8Array | undefined;
  ranks: [number, number];
}

const TTLS_MS = [0, 0, 1, 5, 50, 500, 5000, 60_000];
const VALUE_LENGTHS = [0, 1, 20, 20, 20, 60, 100, 255, 256, 900];
const SCANS_MAX = 6;
const DELETES_AT_ONCE = 12;
/** As the engine has them: a snapshot that lies idle, or is old, is closed. */
const IDLE_MS_MAX = 30_000;
const AGE_MS_MAX = 300_000;

export class ModelRun {
  readonly #random: SeededRandom;
  readonly #options: EngineOptions;
  readonly #shard: ModelShard;
  readonly #model = new ModelStore();
  readonly #scans: OpenScan[] = [];
  readonly #tally: Tally;
  readonly #deeds: readonly (readonly [weight: number, deed: () => void])[] = [
    [55, () => this.#writeSome()],
    [22, () => this.#getOne()],
    [3, () => this.#ttlOfOne()],
    [3, () => this.#getSome()],
    [3, () => this.#openScan()],
    [9, () => this.#nextPage()],
    [1, () => this.#closeScan()],
    [0.1, () => this.#deletePrefix()],
    [0.3, () => this.#shard.clock.advance(this.#random.nextInt(50_000))],
    [0.3, () => this.#shard.settle()],
    [0.12, () => this.#restart()],
  ];
  readonly #weight = this.#deeds.reduce((sum, [weight]) => sum + weight, 0);
  #valueCount = 0;

  constructor(change: Partial<EngineOptions>, seed: number) {
    this.#random = new SeededRandom(seed);
    this.#options = smallOptions(change);
    this.#shard = new ModelShard(change, this.#random);
    this.#tally = {
      operations: 0,
      writes: 0,
      conflicts: 0,
      refused: 0,
      reads: 0,
      found: 0,
      pages: 0,
      closedSnapshots: 0,
      prefixesDeleted: 0,
      lives: 0,
      flushes: 0,
      merges: 0,
    };
  }

  /** Throws at the first difference, saying at which operation. */
  run(operations: number): Tally {
    try {
      while (this.#tally.operations < operations) {
        this.#tally.operations++;
        this.#oneDeed();
        this.#shard.idle();
      }
      this.#checkAll();
      this.#shard.settle();
      this.#checkAll();
    } catch (error) {
      const at = `operation ${this.#tally.operations}`;
      throw new Error(`${at}: ${messageOf(error)}`, { cause: error });
    }
    this.#shard.close();
    return { ...this.#tally, ...this.#shard.totals };
  }

  #oneDeed(): void {
    let at = this.#random.float() * this.#weight;
    const deed = this.#deeds.find(([weight]) => {
      at -= weight;
      return at < 0;
    });
    deed?.[1]();
  }

  #writeSome(): void {
    const count = this.#random.chance(0.7) ? 1 : 2 + this.#random.nextInt(4);
    this.#tally.operations += count - 1;
    this.#write(Array.from({ length: count }, () => this.#randomRequest()));
  }

  #write(requests: readonly WriteRequest[]): void {
    const byCall = new Map(requests.map((request) => [this.#send(request), request]));
    this.#shard.awaitWrites([...byCall.keys()], (reply) => {
      const request = byCall.get(reply.callId);
      if (request === undefined) throw new Error(`${reply.callId} was not called`);
      if (request.kind === 'expire') this.#judgeExpire(request, reply);
      else this.#judgeBatch(request, reply);
    });
  }

  #randomRequest(): WriteRequest {
    const random = this.#random;
    const kind = random.nextInt(20);
    if (kind === 0) {
      return { kind: 'expire', rank: randomRank(random), ttlMs: random.pick(TTLS_MS) };
    }
    const count = kind < 4 ? 1 + random.nextInt(10) : 1;
    const changes: ModelChange[] = [];
    // The longest value fits a batch alone.
    let room = this.#options.batchBytesMax - 100;
    for (let i = 0; i < count; i++) {
      const change = this.#randomChange();
      room -= 100 + (change.value?.length ?? 0);
      if (room < 0 && i > 0) break;
      changes.push(change);
    }
    return { kind: 'batch', changes, conditions: kind > 16 ? this.#conditionsOn(changes) : [] };
  }

  #randomChange(): ModelChange {
    const random = this.#random;
    const rank = randomRank(random);
    if (random.chance(0.2)) return { rank, value: undefined, ttlMs: 0 };
    const length = Math.min(random.pick(VALUE_LENGTHS), this.#options.valueBytesMax);
    const value = `${++this.#valueCount}:`.padEnd(length, 'abcdefgh').slice(0, length);
    return { rank, value, ttlMs: random.chance(0.2) ? random.pick(TTLS_MS) : 0 };
  }

  /** Most of them hold as the model stands now; earlier requests of the group may change that. */
  #conditionsOn(changes: readonly ModelChange[]): Condition[] {
    const conditions: Condition[] = [];
    for (const [index, { rank }] of changes.entries()) {
      if (index > 0 && this.#random.chance(0.5)) continue;
      const present = this.#model.get(rank, this.#shard.nowMs)?.version ?? 0;
      const wrong = this.#random.chance(0.5) ? 0 : this.#random.nextInt(present + 2);
      conditions.push({ index, version: this.#random.chance(0.7) ? present : wrong });
    }
    return conditions;
  }

  #send(request: WriteRequest): number {
    if (request.kind === 'expire') return this.#shard.expire(key(request.rank), request.ttlMs);
    const run = new RunBuilder();
    for (const { rank, value, ttlMs } of request.changes) {
      if (value === undefined) run.delete(key(rank));
      else run.put(key(rank), Buffer.from(value), ttlMs);
    }
    return this.#shard.write(run.runView(), request.conditions);
  }

  #judgeBatch({ changes, conditions }: WriteRequest & { kind: 'batch' }, reply: Reply): void {
    if (this.#isRefusal(reply)) return;
    const { nowMs } = this.#shard;
    const versionOf = (index: number) =>
      this.#model.get(changes[index]?.rank ?? -1, nowMs)?.version ?? 0;
    const broken = conditions.find(({ index, version }) => versionOf(index) !== version);
    const what = `a batch of ${changes.length}`;
    if (broken !== undefined) {
      this.#tally.conflicts++;
      const expected = { kind: 'conflict', index: broken.index, version: versionOf(broken.index) };
      same(what, reply, { callId: reply.callId, ...expected });
      return;
    }
    const sequence = this.#versionIn(reply, what);
    same(what, reply, { callId: reply.callId, kind: 'written', sequence, count: changes.length });
    this.#model.apply(changes, sequence, nowMs);
    this.#tally.writes += changes.length;
  }

  #judgeExpire({ rank, ttlMs }: WriteRequest & { kind: 'expire' }, reply: Reply): void {
    if (this.#isRefusal(reply)) return;
    const { nowMs } = this.#shard;
    const what = `a new expiry of ${name(rank)}`;
    if (this.#model.get(rank, nowMs) === undefined) {
      same(what, reply, { callId: reply.callId, kind: 'missing' });
      return;
    }
    this.#model.expire(rank, ttlMs, this.#versionIn(reply, what), nowMs);
    this.#tally.writes++;
  }

  #versionIn(reply: Reply, what: string): number {
    if (reply.kind !== 'written') throw new Error(`${what} was answered ${show(reply)}`);
    if (reply.sequence > this.#model.lastVersion) return reply.sequence;
    throw new Error(`${what} got version ${reply.sequence} after ${this.#model.lastVersion}`);
  }

  /** A shard under pressure may refuse a write, if it says that it did. */
  #isRefusal(reply: Reply): boolean {
    if (reply.kind !== 'failed') return false;
    const { code, outcome } = reply.error;
    if (code !== 'RESOURCE_EXHAUSTED' || outcome !== 'not-applied') throw reply.error;
    this.#tally.refused++;
    return true;
  }

  #getOne(): void {
    const rank = randomRank(this.#random);
    const stored = this.#model.get(rank, this.#shard.nowMs);
    const reply = this.#shard.get(key(rank));
    same(`get of ${name(rank)}`, reply, { callId: reply.callId, ...valueReply(stored) });
    this.#tally.reads++;
    if (stored !== undefined) this.#tally.found++;
  }

  #ttlOfOne(): void {
    const rank = randomRank(this.#random);
    const { nowMs } = this.#shard;
    const stored = this.#model.get(rank, nowMs);
    const reply = this.#shard.ttl(key(rank));
    const { callId } = reply;
    const missing = { callId, kind: 'missing' };
    const remainingMs = stored?.expiresAtMs === 0 ? 0 : (stored?.expiresAtMs ?? 0) - nowMs;
    const found = { callId, kind: 'ttl', sequence: stored?.version, remainingMs };
    same(`ttl of ${name(rank)}`, reply, stored === undefined ? missing : found);
    this.#tally.reads++;
  }

  #getSome(): void {
    const count = 1 + this.#random.nextInt(20);
    this.#compareMany(Array.from({ length: count }, () => randomRank(this.#random)));
  }

  #compareMany(ranks: readonly number[]): void {
    const found = this.#shard.getMany(ranks.map(key));
    const { nowMs } = this.#shard;
    if (found.length !== ranks.length) throw new Error(`${found.length} of ${ranks.length} values`);
    for (const [i, rank] of ranks.entries()) {
      same(`one of many, ${name(rank)}`, found[i], this.#model.get(rank, nowMs)?.value);
      this.#tally.reads++;
      if (found[i] !== undefined) this.#tally.found++;
    }
  }

  #openScan(): void {
    if (this.#scans.length >= SCANS_MAX) return;
    const bounds = this.#randomBounds();
    const { nowMs } = this.#shard;
    const common = { contents: this.#model.snapshot(), reverse: this.#random.chance(0.5) };
    const times = { openedMs: nowMs, usedMs: nowMs, life: this.#shard.totals.lives };
    this.#readPage({ snapshotId: 0, ...common, ...times, ...bounds });
  }

  #randomBounds(): Pick<OpenScan, 'from' | 'to' | 'ranks'> {
    const random = this.#random;
    const kind = random.nextInt(4);
    if (kind === 0) return { from: undefined, to: undefined, ranks: [0, KEYS.length] };
    if (kind === 1) {
      const prefix = randomPrefix(random);
      return { from: prefix, to: behindPrefix(prefix), ranks: ranksOfPrefix(prefix) };
    }
    const bounds = [key(randomRank(random)), randomPrefix(random)].toSorted(Buffer.compare);
    const [from, to] = random.chance(0.9) ? bounds : bounds.toReversed();
    const isOpen = random.chance(0.3);
    const end = to === undefined || isOpen ? KEYS.length : ranksBelow(to);
    const first = from === undefined ? 0 : ranksBelow(from);
    return { from, to: isOpen ? undefined : to, ranks: [first, Math.max(first, end)] };
  }

  #nextPage(): void {
    if (this.#scans.length === 0) return;
    const [scan] = this.#scans.splice(this.#random.nextInt(this.#scans.length), 1);
    if (scan !== undefined) this.#readPage(scan);
  }

  /** Reads a page; the scan stays open unless it was the last one. */
  #readPage(scan: OpenScan, limit = 1 + this.#random.nextInt(60)): void {
    const { snapshotId, from, to, reverse } = scan;
    const bytesMax = this.#random.pick([1, 300, 3000, 100_000]);
    const keysOnly = this.#random.chance(0.2);
    const { nowMs } = this.#shard;
    const asked = { snapshotId, from, to, reverse, limit, bytesMax, keysOnly };
    const reply = this.#shard.scan(asked);
    this.#tally.pages++;
    const isClosed =
      scan.life !== this.#shard.totals.lives ||
      nowMs - scan.usedMs >= IDLE_MS_MAX ||
      nowMs - scan.openedMs >= AGE_MS_MAX;
    if (isClosed) {
      const code = reply.kind === 'failed' ? reply.error.code : reply.kind;
      same('a scan whose snapshot is closed', code, 'FAILED_PRECONDITION');
      this.#tally.closedSnapshots++;
      return;
    }
    if (reply.kind !== 'page') throw new Error(`A scan was answered ${show(reply)}`);
    if (snapshotId !== 0) same('the snapshot of a scan', reply.snapshotId, snapshotId);
    this.#judgePage({ ...scan, snapshotId: reply.snapshotId, usedMs: nowMs }, reply, asked);
  }

  #judgePage(
    scan: OpenScan,
    { items, done }: Reply & { kind: 'page' },
    { limit, keysOnly }: { limit: number; keysOnly: boolean },
  ): void {
    const expected = visibleRanks(scan.contents, scan.ranks, scan.reverse, this.#shard.nowMs);
    let count = 0;
    for (const item of items) {
      if ('mark' in item) {
        this.#goOnAt(scan, Buffer.from(item.mark, 'latin1'));
        break;
      }
      const rank = rankOf(item.key);
      const wanted = expected[count++];
      same('the next key of a scan', name(rank), wanted === undefined ? 'none' : name(wanted));
      const value = keysOnly ? undefined : scan.contents[rank]?.value;
      same(`the value of ${name(rank)} in a scan`, item.value, value);
      this.#goOnBehind(scan, rank);
    }
    if (count > limit) throw new Error(`A page of ${limit} has ${count} entries`);
    if (done) {
      same('how many entries a scan has', count, expected.length);
      this.#shard.endScan(scan.snapshotId);
      return;
    }
    if (items.length === 0) throw new Error('A page makes no progress');
    this.#scans.push(scan);
  }

  #goOnBehind(scan: OpenScan, rank: number): void {
    if (scan.reverse) {
      scan.to = key(rank);
      scan.ranks = [scan.ranks[0], rank];
    } else {
      scan.from = Buffer.concat([key(rank), Buffer.of(0)]);
      scan.ranks = [rank + 1, scan.ranks[1]];
    }
  }

  /** Only where the shard goes on: what it must still find does not change. */
  #goOnAt(scan: OpenScan, mark: Buffer): void {
    if (scan.reverse) scan.to = Buffer.concat([mark, Buffer.of(0)]);
    else scan.from = mark;
  }

  #closeScan(): void {
    const scan = this.#scans.shift();
    if (scan !== undefined) this.#shard.endScan(scan.snapshotId);
  }

  /** As the router does it: find the keys page by page, delete them in batches. */
  #deletePrefix(): void {
    const prefix = (this.#random.chance(0.05) ? randomPrefix : narrowPrefix)(this.#random);
    const [first, end] = ranksOfPrefix(prefix);
    const ranks = this.#shard.getMany(KEYS.slice(first, end)).flatMap((value, i) => {
      return value === undefined ? [] : [first + i];
    });
    const { nowMs } = this.#shard;
    const expected = visibleRanks(this.#model.snapshot(), [first, end], false, nowMs);
    same(`keys that begin with ${prefix}`, ranks.map(name).join(), expected.map(name).join());
    for (let at = 0; at < ranks.length; at += DELETES_AT_ONCE) {
      const changes = ranks
        .slice(at, at + DELETES_AT_ONCE)
        .map((rank): ModelChange => ({ rank, value: undefined, ttlMs: 0 }));
      this.#write([{ kind: 'batch', changes, conditions: [] }]);
    }
    this.#tally.prefixesDeleted++;
  }

  #restart(): void {
    const endings: Ending[] = ['clean', 'kill'];
    if (this.#options.walSync === 'always') endings.push('power');
    this.#shard.restart(this.#random.pick(endings));
    this.#checkAll();
  }

  /** Every key, and a scan of them all. */
  #checkAll(): void {
    this.#compareMany(KEYS.map((_, rank) => rank));
    const { nowMs } = this.#shard;
    const open = this.#scans.length;
    this.#readPage({
      snapshotId: 0,
      contents: this.#model.snapshot(),
      reverse: this.#random.chance(0.3),
      openedMs: nowMs,
      usedMs: nowMs,
      life: this.#shard.totals.lives,
      from: undefined,
      to: undefined,
      ranks: [0, KEYS.length],
    });
    while (this.#scans.length > open) {
      const scan = this.#scans.pop();
      if (scan !== undefined) this.#readPage(scan, KEYS.length);
    }
  }
}

function key(rank: number): Buffer {
  const found = KEYS[rank];
  if (found === undefined) throw new Error(`There is no key ${rank}`);
  return found;
}

function name(rank: number): string {
  return JSON.stringify(key(rank).toString());
}

/** The first bytes behind all keys with the prefix; UTF-8 has no byte 255. */
function behindPrefix(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return end;
}

function valueReply(stored: Stored | undefined): object {
  if (stored === undefined) return { kind: 'missing' };
  return { kind: 'value', sequence: stored.version, value: stored.value };
}

function same(what: string, found: unknown, expected: unknown): void {
  const [left, right] = [show(found), show(expected)];
  if (left !== right) throw new Error(`${what}: found ${left}, expected ${right}`);
}

/** The same text for the same content, whatever the order of its fields. */
function show(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const plain = 'error' in value ? { ...value, error: String(value.error) } : value;
  return JSON.stringify(plain, Object.keys(plain).toSorted());
}
