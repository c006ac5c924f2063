/**
 * Loaded first by every thread of a server: counts what its heap was given, from the sizes before
 * and after each collection, and notes it in HEAP_WATCH_DIR about twice a second.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { GCProfiler, getHeapStatistics } from 'node:v8';
import { isMainThread, threadId, workerData } from 'node:worker_threads';

const EVERY_MS = 500;
const dir = process.env['HEAP_WATCH_DIR'] ?? '';
const { fdatasyncSync } = fs;

function roleOf(data: unknown): string {
  if (isMainThread) return 'main';
  if (typeof data !== 'object' || data === null) return 'other';
  return 'slotOwner' in data ? 'router' : 'links' in data ? 'shard' : 'pool';
}

class HeapWatch {
  readonly #role = roleOf(workerData);
  #profiler = new GCProfiler();
  #usedBytes = 0;
  #allocatedBytes = 0;
  #nextMs = 0;

  constructor() {
    this.#begin();
  }

  /** Cheap unless it is due: every thread calls it as often as it can. */
  tick(): void {
    const now = performance.now();
    if (now < this.#nextMs) return;
    this.#nextMs = now + EVERY_MS;
    for (const { beforeGC, afterGC } of this.#profiler.stop()?.statistics ?? []) {
      this.#allocatedBytes += beforeGC.heapStatistics.usedHeapSize - this.#usedBytes;
      this.#usedBytes = afterGC.heapStatistics.usedHeapSize;
    }
    this.#allocatedBytes += getHeapStatistics().used_heap_size - this.#usedBytes;
    const figures = { role: this.#role, allocatedBytes: this.#allocatedBytes };
    fs.writeFileSync(`${dir}/${threadId}.tmp`, JSON.stringify(figures));
    fs.renameSync(`${dir}/${threadId}.tmp`, `${dir}/${threadId}.json`);
    this.#begin();
  }

  #begin(): void {
    this.#profiler = new GCProfiler();
    this.#profiler.start();
    this.#usedBytes = getHeapStatistics().used_heap_size;
  }
}

const watch = new HeapWatch();
setInterval(() => watch.tick(), EVERY_MS).unref();
// A shard under load hardly comes to its timers, but it syncs all the time.
fs.fdatasyncSync = (fd) => {
  fdatasyncSync(fd);
  watch.tick();
};
syncBuiltinESMExports();
