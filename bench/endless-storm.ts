/**
 * A storm that does not end: random keys over a space, for minutes, at the rate that the engine
 * takes (or a given one); then rest; then everything is overwritten once and half of it deleted.
 * Tells pauses with their causes, space, write amplification and memory over time.
 *
 *   node dist/bench/endless-storm.js [--seconds 600] [--idle 300] [--keys 20000000] [--rate 0]
 *
 * Space amplification is the size of the tables ÷ the size that they have after all of them were
 * merged into one run, which the last line of each phase comes close to; `diskMiB` counts the log
 * as well.
 */
import { fileURLToPath } from 'node:url';
import { RunBuilder } from '../src/base/run-builder.js';
import { DrawnKeys, writeNumberedKey } from './support/numbered-keys.js';
import { type Figures, rounded, runBench } from './support/rounds.js';
import { type NextBatch, type Sample, Soak } from './support/soak.js';
import { ENTRY_BYTES, KEY_BYTES, sampleValue } from './support/storm-keys.js';

const VALUES = Array.from({ length: 4096 }, (_, i) => sampleValue(i));
const MIB = 2 ** 20;

async function stormkv(settings: Record<string, number>, dir: string): Promise<Figures> {
  const { seconds = 0, idle = 0, keys = 0, rate = 0, batch = 0 } = settings;
  const soak = await Soak.open(dir);
  const drawn = new DrawnKeys(keys, 1);
  const builder = new RunBuilder();
  const common = { builder, batchesPerGroup: 4 };
  const note = progress(soak);
  const costs = { before: soak.figures(), cpu: process.cpuUsage() };

  const random = puts(batch, () => drawn.next());
  const stormed = await soak.write({ ...common, rate, nextBatch: random }, seconds);
  const cpu = process.cpuUsage(costs.cpu);
  const atEnd = soak.figures();
  const storm = { ...soak.report(), ...rates(soak.samples), ...spaceOf(soak, 'AtStormEnd') };
  note('storm over');
  await soak.idle(idle);
  const rested = soak.figures();
  const restedSpace = spaceOf(soak, 'AfterRest');
  note('rested');

  const all = upTo(keys, (number) => drawn.wasDrawn(number));
  await soak.write({ ...common, rate: 0, nextBatch: puts(batch, all) });
  const overwrittenSpace = spaceOf(soak, 'Overwritten');
  await soak.idle(idle / 2);
  const overwrittenRested = spaceOf(soak, 'OverwrittenRested');
  note('overwritten');
  const half = upTo(keys, (number) => number % 2 === 0 && drawn.wasDrawn(number));
  await soak.write({ ...common, rate: 0, nextBatch: deletes(batch, half) });
  await soak.idle(idle / 2);
  const halved = spaceOf(soak, 'HalfDeletedRested');
  note('half deleted');
  await soak.close();

  const written = (atEnd.flushBytesTotal + atEnd.mergeWrittenBytesTotal) / (stormed * ENTRY_BYTES);
  return {
    entriesPerSecond: rounded(stormed / seconds),
    cpuMicrosPerEntry: rounded((cpu.user + cpu.system) / stormed),
    distinctKeys: drawn.distinct,
    logicalMiB: rounded((drawn.distinct * ENTRY_BYTES) / MIB),
    ...storm,
    writeAmplificationOfTables: rounded(written),
    tableBytesPerKeyAfterRest: rounded(rested.tableBytes / drawn.distinct),
    spaceAmplificationAtStormEnd: rounded(atEnd.tableBytes / rested.tableBytes),
    ...restedSpace,
    ...overwrittenSpace,
    ...overwrittenRested,
    ...halved,
  };
}

/** Puts of the keys that `draw` names, until it returns −1. */
function puts(batch: number, draw: () => number): NextBatch {
  const key = new Uint8Array(KEY_BYTES);
  let values = 0;
  return (builder) => {
    while (builder.count < batch) {
      const number = draw();
      if (number < 0) break;
      writeNumberedKey(key, 0, number);
      builder.put(key, VALUES[values++ & 4095] ?? key);
    }
    return builder.count > 0;
  };
}

function deletes(batch: number, draw: () => number): NextBatch {
  const key = new Uint8Array(KEY_BYTES);
  return (builder) => {
    while (builder.count < batch) {
      const number = draw();
      if (number < 0) break;
      writeNumberedKey(key, 0, number);
      builder.delete(key);
    }
    return builder.count > 0;
  };
}

/** The numbers below `count` that are wanted, each once; then −1. */
function upTo(count: number, isWanted: (number: number) => boolean): () => number {
  let number = -1;
  return () => {
    do number++;
    while (number < count && !isWanted(number));
    return number < count ? number : -1;
  };
}

function spaceOf(soak: Soak, when: string): Figures {
  const { tableBytes, sortedRuns, tables } = soak.figures();
  const { diskMiB, files } = soak.space();
  return {
    [`tableMiB${when}`]: rounded(tableBytes / MIB),
    [`diskMiB${when}`]: diskMiB,
    [`files${when}`]: files,
    [`runs${when}`]: sortedRuns,
    [`tables${when}`]: tables,
  };
}

/** The rate and the memory in the first, middle and last fifth of the storm: flat or not. */
function rates(samples: Sample[]): Figures {
  const part = (from: number): Sample[] =>
    samples.slice(Math.floor(samples.length * from), Math.ceil(samples.length * (from + 0.2)));
  const mean = (of: Sample[], value: (sample: Sample) => number): number =>
    rounded(of.reduce((sum, sample) => sum + value(sample), 0) / Math.max(1, of.length));
  const figures: Figures = {};
  for (const [name, from] of [
    ['First', 0],
    ['Middle', 0.4],
    ['Last', 0.8],
  ] as const) {
    figures[`rate${name}Fifth`] = mean(part(from), ({ rate }) => rate);
    figures[`runs${name}Fifth`] = mean(part(from), ({ sortedRuns }) => sortedRuns);
    figures[`rssMiB${name}Fifth`] = mean(part(from), ({ rssMiB }) => rssMiB);
  }
  figures['rateLowestSecond'] = Math.min(...samples.map(({ rate }) => rate));
  return figures;
}

function progress(soak: Soak): (phase: string) => void {
  return (phase) => {
    const { tableBytes, sortedRuns } = soak.figures();
    const size = `${rounded(tableBytes / MIB)} MiB in ${sortedRuns} runs`;
    process.stderr.write(`endless-storm: ${rounded(soak.seconds)} s, ${phase}, ${size}\n`);
  };
}

await runBench(
  {
    name: 'endless-storm',
    rounds: 1,
    settings: { seconds: 600, idle: 300, keys: 20_000_000, rate: 0, batch: 512 },
    contenders: { stormkv },
  },
  fileURLToPath(import.meta.url),
);
