/**
 * Which merges to make: the shipped picker with several settings, and a leveled one, over the same
 * simulated loads. No disk and no clock: the figures are the same on every machine.
 *
 *   node dist/bench/strategy.js [--seconds 600] [--rate 200000] [--merge 800000] [--scale 100]
 *
 * `rate` and `merge` are entries a second that are written and that a merge thread reads; `keys` is
 * the space of random keys. Write amplification is what flushes and merges write ÷ what flushes
 * write; space amplification is the size of all tables, with what merges under way have written, ÷
 * the size of what lives in them.
 */
import { fileURLToPath } from 'node:url';
import { type MergePick, pickMerges, type RunFigures } from '../src/shard/compaction-picker.js';
import { type Candidate, emptyTally, SimulatedStore } from './support/merge-simulation.js';
import { type Figures, rounded, runBench } from './support/rounds.js';
import { KeyStream } from './support/storm-keys.js';

const NEVER = 1e9;
const FOREVER = Number.POSITIVE_INFINITY;
const DELETE = -1;
const FAN_IN = 4;
/** Of a leveled store: each level so many times the one above. */
const LEVEL_FACTOR = 10;

/** The picker as it is, with these shares of garbage. */
function shipped(
  garbagePercentBusy: number,
  garbagePercentQuiet: number,
  fanIn = FAN_IN,
): Candidate {
  const options = { fanIn, garbagePercentBusy, garbagePercentQuiet };
  return { pick: (runs, isQuiet) => pickMerges(runs, options, isQuiet) };
}

/** Four flushes go into level 1; a level that is too large goes whole into the next. */
function leveled(flushBytes: number): Candidate {
  return {
    pick(runs) {
      const isLevel = ({ sizeBytes }: RunFigures): boolean => sizeBytes > 1.5 * flushBytes;
      const first = runs.findIndex(isLevel);
      const young = first < 0 ? runs.length : first;
      const take = (from: number, count: number): MergePick[] => {
        const isFree = runs.slice(from, from + count).every(({ isBusy }) => !isBusy);
        return isFree && count > 1 ? [{ from, count, because: 'like-sizes' }] : [];
      };
      if (young >= FAN_IN) return take(0, Math.min(runs.length, young + 1));
      for (let level = young, size = FAN_IN; level + 1 < runs.length; level++) {
        size *= LEVEL_FACTOR;
        if ((runs[level]?.sizeBytes ?? 0) > size * flushBytes) return take(level, 2);
      }
      return [];
    },
  };
}

async function simulate(candidate: Candidate, settings: Record<string, number>): Promise<Figures> {
  const { scale = 1, memTable = 0, merge = 0, runsStop = 0 } = settings;
  const speeds = { memTableEntries: memTable / scale, mergeEntries: merge / scale, runsStop };
  const figures: Figures = {};
  const store = new SimulatedStore(candidate, speeds);
  storm(store, settings, figures);
  changes(store, settings, figures);
  expiry(new SimulatedStore(candidate, speeds), settings, figures);
  return figures;
}

function storm(store: SimulatedStore, settings: Record<string, number>, figures: Figures): void {
  const { scale = 1, keys = 0, seconds = 0, rate = 0, idle = 0 } = settings;
  const draw = randomKeys(keys / scale);
  let left = (seconds * rate) / scale;
  store.write(rate / scale, () => (left-- > 0 ? draw() : -1), FOREVER);
  const { flushedBytes, mergedBytes, bytesMax, runsMax, stalledSeconds } = store.tally;
  const live = store.liveBytes;
  figures['stormWriteAmplification'] = rounded(1 + mergedBytes / flushedBytes);
  figures['stormMergedGiB'] = rounded((mergedBytes * scale) / 2 ** 30);
  figures['stormSpaceMax'] = rounded(bytesMax / live);
  figures['stormSpaceAtEnd'] = rounded(store.bytes / live);
  figures['stormRunsMax'] = runsMax;
  figures['stormStalledSeconds'] = rounded(stalledSeconds);
  store.idle(idle);
  figures['stormSpaceRested'] = rounded(store.bytes / store.liveBytes);
}

/** Everything once more, then half of it deleted. */
function changes(store: SimulatedStore, settings: Record<string, number>, figures: Figures): void {
  const { scale = 1, keys = 0, rate = 0, idle = 0 } = settings;
  let key = -1;
  store.tally = emptyTally();
  store.write(rate / scale, () => (++key < keys / scale ? key : -1), FOREVER);
  store.idle(idle / 2);
  const live = store.liveBytes;
  figures['overwrittenSpaceRested'] = rounded(store.bytes / live);
  key = -1;
  const nextEven = () => {
    key += key < 0 ? 1 : 2;
    return key < keys / scale ? key : -1;
  };
  store.write(rate / scale, nextEven, DELETE);
  store.flush();
  store.idle(idle / 2);
  figures['halvedSpaceRested'] = rounded(store.bytes / store.liveBytes);
  figures['changesMergedGiB'] = rounded((store.tally.mergedBytes * scale) / 2 ** 30);
  figures['changesSpaceMax'] = rounded(store.tally.bytesMax / live);
}

/** The same number of keys again and again, each with a short life. */
function expiry(store: SimulatedStore, settings: Record<string, number>, figures: Figures): void {
  const { scale = 1, rate = 0, ttl = 0, ttlKeys = 0, ttlRounds = 0 } = settings;
  const perRound = ttlKeys / scale;
  const draw = randomKeys(ttlRounds * perRound);
  for (let round = 0; round < ttlRounds; round++) {
    let left = perRound;
    const started = store.seconds;
    store.write(rate / scale, () => (left-- > 0 ? draw() : -1), ttl);
    store.idle(Math.max(0, ttl - (store.seconds - started)));
  }
  store.flush();
  const roundBytes = store.tally.flushedBytes / ttlRounds;
  figures['ttlSpaceMaxInRounds'] = rounded(store.tally.bytesMax / roundBytes);
  figures['ttlMergedGiB'] = rounded((store.tally.mergedBytes * scale) / 2 ** 30);
  store.idle(2 * ttl);
  figures['ttlRunsRested'] = store.runs;
}

function randomKeys(count: number): () => number {
  const stream = new KeyStream(1);
  const bytes = new Uint8Array(16);
  const words = new Uint32Array(bytes.buffer);
  return () => {
    stream.writeKey(bytes, 0);
    return (words[0] ?? 0) % count;
  };
}

const CANDIDATES: Record<string, (flushBytes: number) => Candidate> = {
  tiered: () => shipped(NEVER, NEVER),
  tieredBy8: () => shipped(NEVER, NEVER, 8),
  bottom25: () => shipped(25, 25),
  bottom50: () => shipped(50, 35),
  bottom100: () => shipped(100, 35),
  bottom200: () => shipped(200, 35),
  bottom100by8: () => shipped(100, 35, 8),
  bottom100by3: () => shipped(100, 35, 3),
  leveled,
};

await runBench(
  {
    name: 'strategy',
    rounds: 1,
    settings: {
      seconds: 600,
      idle: 300,
      keys: 20_000_000,
      rate: 200_000,
      merge: 800_000,
      memTable: 570_000,
      runsStop: 48,
      ttl: 10,
      ttlKeys: 1_000_000,
      ttlRounds: 20,
      scale: 100,
    },
    contenders: Object.fromEntries(
      Object.entries(CANDIDATES).map(([name, candidate]) => [
        name,
        (settings: Record<string, number>) => {
          const { memTable = 0, scale = 1 } = settings;
          return simulate(candidate((84 * memTable) / scale), settings);
        },
      ]),
    ),
  },
  fileURLToPath(import.meta.url),
);
