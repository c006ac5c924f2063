/**
 * Entries that expire: the same number of keys again and again, each time with a short life. Tells
 * how much space the store takes after each round, and whether it returns by itself in the end.
 *
 *   node dist/bench/ttl-storm.js [--entries 1000000] [--ttl 10000] [--storms 20] [--idle 60]
 */
import { statfsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RunBuilder } from '../src/base/run-builder.js';
import { writeNumberedKey } from './support/numbered-keys.js';
import { type Figures, rounded, runBench } from './support/rounds.js';
import { Soak } from './support/soak.js';
import { KEY_BYTES, sampleValue } from './support/storm-keys.js';

const MIB = 2 ** 20;
const VALUES = Array.from({ length: 4096 }, (_, i) => sampleValue(i));
const BATCH = 512;

async function stormkv(settings: Record<string, number>, dir: string): Promise<Figures> {
  const { entries = 0, ttl = 0, storms = 0, idle = 0 } = settings;
  const soak = await Soak.open(dir);
  const baseline = usedMiB(dir);
  const folderBefore = soak.space().diskMiB;
  let highest = 0;
  const key = new Uint8Array(KEY_BYTES);
  for (let round = 1; round <= storms; round++) {
    let number = 0;
    const started = performance.now();
    await soak.write({
      builder: new RunBuilder(),
      batchesPerGroup: 4,
      rate: 0,
      nextBatch(builder) {
        while (builder.count < BATCH && number < entries) {
          writeNumberedKey(key, 0, round * entries + number++);
          builder.put(key, VALUES[number & 4095] ?? key, ttl);
        }
        return builder.count > 0;
      },
    });
    await soak.idle(Math.max(0, ttl - (performance.now() - started)) / 1000);
    const now = usedMiB(dir) - baseline;
    highest = Math.max(highest, now);
    const { tableBytes, sortedRuns } = soak.figures();
    const tables = `tables ${rounded(tableBytes / MIB)} MiB in ${sortedRuns} runs`;
    process.stderr.write(`ttl-storm: round ${round}, disk +${rounded(now)} MiB, ${tables}\n`);
  }
  const atEnd = usedMiB(dir) - baseline;
  let backAfter = -1;
  for (let second = 0; second <= idle; second++) {
    if (soak.figures().tableBytes === 0) {
      backAfter = second;
      break;
    }
    await soak.idle(1);
  }
  // The system gives back the blocks of removed files a moment later.
  await soak.idle(5);
  const { tableBytes, tables } = soak.figures();
  const figures = { ...soak.report() };
  const restMiB = usedMiB(dir) - baseline;
  const folderAfter = soak.space().diskMiB;
  await soak.close();
  return {
    ...figures,
    diskMiBHighest: rounded(highest),
    diskMiBAtEnd: rounded(atEnd),
    diskMiBAfterRest: rounded(restMiB),
    folderMiBBefore: folderBefore,
    folderMiBAfterRest: folderAfter,
    tablesAfterRest: tables,
    tableMiBAfterRest: rounded(tableBytes / MIB),
    secondsUntilNoTable: backAfter,
  };
}

/** Of the whole file system: removed files that somebody still holds open or mapped count. */
function usedMiB(dir: string): number {
  const { bsize, blocks, bfree } = statfsSync(dir);
  return ((blocks - bfree) * bsize) / MIB;
}

await runBench(
  {
    name: 'ttl-storm',
    rounds: 1,
    settings: { entries: 1_000_000, ttl: 10_000, storms: 20, idle: 60 },
    contenders: { stormkv },
  },
  fileURLToPath(import.meta.url),
);
