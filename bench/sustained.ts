/**
 * Minutes of packed writes, merges included: the rate of each window, what merges owe at the start,
 * over the last minutes and at the end. Beside it RocksDB's own benchmark, as many entries.
 *
 *   node dist/bench/sustained.js [--seconds 300] [--window 10] [--rounds 3]
 *
 *   stormkv      every write acknowledged after its fdatasync
 *   rocksdb      db_bench fillrandom, batches of 1,000, its log written but not synced
 */
import { fileURLToPath } from 'node:url';
import { type Settings, stormFigures, writePacked } from './support/packed-storm.js';
import { type Figures, rounded, runBench } from './support/rounds.js';
import type { Service } from './support/service.js';
import { KEY_BYTES, VALUE_BYTES } from './support/storm-keys.js';
import { numberIn, runTool } from './support/tool.js';

const MIB = 2 ** 20;
/** Of the mean; windows within it count as even. */
const EVEN_SHARE = 0.25;

interface Window {
  rate: number;
  debtMiB: number;
}

async function stormkv(settings: Settings, dir: string): Promise<Figures> {
  const { window = 0 } = settings;
  const windows: Window[] = [];
  const figures = await stormFigures(dir, settings, async (service, endMs) => {
    let acknowledged = 0;
    const stop = everyWindow(service, window, () => acknowledged, windows);
    const written = await writePacked(service.grpcAddress, settings, endMs, (count) => {
      acknowledged += count;
    });
    stop();
    return written;
  });
  return { ...figures, ...evenness(windows, window) };
}

function everyWindow(
  service: Service,
  seconds: number,
  acknowledged: () => number,
  windows: Window[],
): () => void {
  let [before, lastMs] = [0, performance.now()];
  const timer = setInterval(() => {
    const [now, count] = [performance.now(), acknowledged()];
    const rate = ((count - before) * 1000) / (now - lastMs);
    [before, lastMs] = [count, now];
    void service.total('debtBytes').then((bytes) => windows.push({ rate, debtMiB: bytes / MIB }));
  }, seconds * 1000);
  return () => clearInterval(timer);
}

/** Flat debt: over the last two fifths, its end is about its beginning. */
function evenness(windows: Window[], seconds: number): Figures {
  if (windows.length === 0) return {};
  const mean = windows.reduce((sum, { rate }) => sum + rate, 0) / windows.length;
  const even = windows.filter(({ rate }) => Math.abs(rate - mean) <= mean * EVEN_SHARE).length;
  const last = windows.slice(Math.floor(windows.length * 0.6));
  return {
    windowSeconds: seconds,
    windowsWithin25Percent: rounded((even * 100) / windows.length),
    slowestWindowRate: rounded(Math.min(...windows.map(({ rate }) => rate))),
    debtMiBFirst: rounded(windows[0]?.debtMiB ?? 0),
    debtMiBLastFifthsFrom: rounded(last[0]?.debtMiB ?? 0),
    debtMiBLastFifthsTo: rounded(last.at(-1)?.debtMiB ?? 0),
    debtMiBMax: rounded(Math.max(...windows.map(({ debtMiB }) => debtMiB))),
    windowRates: windows.map(({ rate }) => Math.round(rate / 1000)).join(' '),
  };
}

async function rocksdb(settings: Settings, dir: string): Promise<Figures> {
  const { acknowledged = 0, batch = 0 } = settings;
  const flags = {
    benchmarks: 'fillrandom',
    db: `${dir}/rocksdb`,
    num: acknowledged,
    batch_size: batch,
    key_size: KEY_BYTES,
    value_size: VALUE_BYTES,
    compression_ratio: 0.5,
    sync: 0,
    disable_wal: 0,
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const started = performance.now();
  const output = await runTool('db_bench', args);
  if (output === undefined) return { absent: 'db_bench (rocksdb-tools) is not installed' };
  return {
    entriesPerSecond: numberIn(output, /fillrandom\s+:.*?(\d+) ops\/sec/),
    seconds: rounded((performance.now() - started) / 1000),
    acknowledged,
  };
}

await runBench(
  {
    name: 'sustained',
    settings: { seconds: 300, window: 10, batch: 1000, outstanding: 16, acknowledged: 1_000_000 },
    passOn: 'acknowledged',
    contenders: { stormkv, rocksdb },
  },
  fileURLToPath(import.meta.url),
);
