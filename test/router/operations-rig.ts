/** Calls of the router's operations on a fake cluster in manual mode, as promises. */
import type { StormError } from '../../src/base/errors.js';
import { RunBuilder } from '../../src/base/run-builder.js';
import { slotOfKey } from '../../src/base/slot.js';
import type {
  BatchSetResult,
  GetResult,
  KvScan,
  ScanPage,
  ScanRequest,
  SetOptions,
  Ttl,
} from '../../src/rpc/kv-operations.js';
import type { Condition } from '../../src/rpc/write-messages.js';
import { FakeCluster, type FakeClusterOptions } from './fake-cluster.js';

export class ManualClock {
  nowMs = 1000;
  wallMs = () => this.nowMs;
  monotonicMs = () => this.nowMs;
}

export interface Rig {
  cluster: FakeCluster;
  clock: ManualClock;
}

export function rig(options: Partial<FakeClusterOptions> = {}): Rig {
  const clock = new ManualClock();
  return { clock, cluster: new FakeCluster({ mode: 'manual', clock, ...options }) };
}

/** An answer that may not have come yet. */
export interface Answer<T> {
  error: StormError | undefined;
  value: T | undefined;
  times: number;
}

function answer<T>(start: (done: (error: StormError | undefined, value: T) => void) => void) {
  const found: Answer<T> = { error: undefined, value: undefined, times: 0 };
  start((error, value) => {
    found.error = error;
    found.value = value;
    found.times++;
  });
  return found;
}

type RunEntry = [key: string | Uint8Array, value: string | undefined, ttlMs?: number];

export function runOf(entries: readonly RunEntry[]): Uint8Array {
  const run = new RunBuilder();
  for (const [key, value, ttlMs] of entries) {
    if (value === undefined) run.delete(Buffer.from(key));
    else run.put(Buffer.from(key), Buffer.from(value), ttlMs);
  }
  return run.runView();
}

export function sendBatch(
  { cluster }: Rig,
  run: Uint8Array,
  conditions: Condition[] = [],
  timeoutMs = Infinity,
): Answer<BatchSetResult> {
  return answer((done) => cluster.router.batchSet({ run, conditions }, timeoutMs, done));
}

export function sendGets(
  { cluster }: Rig,
  keys: readonly (string | Uint8Array)[],
  timeoutMs = Infinity,
): Answer<readonly (GetResult | undefined)[]> {
  const bytes = keys.map((key) => Buffer.from(key));
  return answer((done) => cluster.router.batchGet(bytes, timeoutMs, done));
}

export function set(rig: Rig, key: string, value: string, options?: SetOptions): Answer<number> {
  const { router } = rig.cluster;
  const found = answer<number>((done) => {
    router.set(Buffer.from(key), Buffer.from(value), Infinity, done, options);
  });
  rig.cluster.settle();
  return found;
}

export function del(rig: Rig, key: string, ifVersion?: number): Answer<number> {
  const found = answer<number>((done) => {
    rig.cluster.router.delete(Buffer.from(key), Infinity, done, { ifVersion });
  });
  rig.cluster.settle();
  return found;
}

export function expire(rig: Rig, key: string, ttlMs: number): Answer<number> {
  const found = answer<number>((done) => {
    rig.cluster.router.expire(Buffer.from(key), ttlMs, Infinity, done);
  });
  rig.cluster.settle();
  return found;
}

export function ttl(rig: Rig, key: string): Answer<Ttl | undefined> {
  const found = answer<Ttl | undefined>((done) => {
    rig.cluster.router.ttl(Buffer.from(key), Infinity, done);
  });
  rig.cluster.settle();
  return found;
}

export function value(rig: Rig, key: string): string | undefined {
  let found: string | undefined;
  rig.cluster.router.get(Buffer.from(key), Infinity, (error, bytes) => {
    if (error !== undefined) throw error;
    found = bytes?.toString();
  });
  rig.cluster.settle();
  return found;
}

export function deletePrefix(rig: Rig, prefix: string, dryRun: boolean): Answer<number> {
  return answer<number>((done) => {
    rig.cluster.router.deletePrefix(Buffer.from(prefix), { dryRun }, Infinity, done);
  });
}

/** Settles, and lets queued microtasks run, often enough for everything a test here starts. */
export async function settleAll({ cluster }: Rig): Promise<void> {
  for (let i = 0; i < 200; i++) {
    cluster.settle();
    await Promise.resolve();
  }
}

export interface ScanTexts {
  prefix?: string;
  from?: string;
  to?: string;
}

export function startScan({ cluster }: Rig, texts: ScanTexts, rest: ScanRequest = {}): KvScan {
  const bytes = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text));
  const { prefix, from, to } = texts;
  return cluster.router.scan({ prefix: bytes(prefix), from: bytes(from), to: bytes(to), ...rest });
}

export function nextPage(rig: Rig, scan: KvScan): ScanPage {
  const found = answer<ScanPage | undefined>((done) => scan.nextPage(Infinity, done));
  rig.cluster.settle();
  if (found.error !== undefined) throw found.error;
  if (found.value === undefined) throw new Error('The scan was not answered');
  return found.value;
}

/** All pages until the last. */
export function pagesOf(rig: Rig, texts: ScanTexts, rest: ScanRequest = {}): ScanPage[] {
  const scan = startScan(rig, texts, rest);
  const pages = [nextPage(rig, scan)];
  while (pages.at(-1)?.isLast === false) pages.push(nextPage(rig, scan));
  return pages;
}

export const keysOf = (pages: readonly ScanPage[]): string[] =>
  pages.flatMap(({ entries }) => entries.map(({ key }) => key.toString()));

/** A key that belongs to the shard, of `count`. */
export function keyOn(shard: number, n: number, count = 2): string {
  for (let i = 0; ; i++) {
    const key = Buffer.from(`k${n}-${i}`);
    if (slotOfKey(key, 0, key.length) % count === shard) return key.toString();
  }
}
