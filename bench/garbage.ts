/**
 * Bytes that each kind of thread of the server allocates on its heap for a put, by the sizes of the
 * heap before and after each collection.
 *
 *   node dist/bench/garbage.js [--seconds 20]
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as rest } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Settings, stormFigures, writePacked } from './support/packed-storm.js';
import { type Figures, rounded, runBench } from './support/rounds.js';

const PRELOAD = new URL('./support/heap-watch.js', import.meta.url);
/** The watch of every thread has noted what it saw by then. */
const NOTED_MS = 1500;

async function stormkv(settings: Settings, dir: string): Promise<Figures> {
  const watchDir = `${dir}/heap`;
  mkdirSync(watchDir);
  const bytes: Record<string, number> = {};
  const figures = await stormFigures(
    dir,
    settings,
    async ({ grpcAddress }, endMs) => {
      await rest(NOTED_MS);
      const before = allocatedBytes(watchDir);
      const written = await writePacked(grpcAddress, settings, endMs + NOTED_MS);
      await rest(NOTED_MS);
      for (const [role, after] of Object.entries(allocatedBytes(watchDir))) {
        bytes[role] = (after - (before[role] ?? 0)) / written.acknowledged;
      }
      return written;
    },
    { preload: PRELOAD, env: { HEAP_WATCH_DIR: watchDir } },
  );
  const { acknowledged = 0, keysFoundAfterRestart = 0 } = figures;
  return {
    shardHeapBytesPerPut: rounded(bytes['shard'] ?? 0),
    routerHeapBytesPerPut: rounded(bytes['router'] ?? 0),
    poolHeapBytesPerPut: rounded(bytes['pool'] ?? 0),
    mainHeapBytesPerPut: rounded(bytes['main'] ?? 0),
    acknowledged,
    keysFoundAfterRestart,
  };
}

/** Of all threads so far, by their role. */
function allocatedBytes(dir: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const name of readdirSync(dir).filter((one) => one.endsWith('.json'))) {
    const { role, allocatedBytes: bytes } = JSON.parse(readFileSync(`${dir}/${name}`, 'utf8'));
    sums[role] = (sums[role] ?? 0) + bytes;
  }
  return sums;
}

await runBench(
  {
    name: 'garbage',
    settings: { seconds: 20, batch: 1000, outstanding: 16 },
    contenders: { stormkv },
  },
  fileURLToPath(import.meta.url),
);
