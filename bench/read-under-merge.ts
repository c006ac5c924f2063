/**
 * How long a Get waits while a scan holds a snapshot and merges run, against the same load without
 * either. A server in a process of its own, one shard, threads as shipped; writes and Gets come at
 * fixed rates over gRPC, and a Get's time counts from when it was due.
 *
 *   node dist/bench/read-under-merge.js [--seconds 30] [--rate 40000] [--reads 500] [--rounds 3]
 *
 *   still     flushes only: runs may pile up unmerged for as long as the bench takes
 *   scanning  the same while a scan of everything goes on all the time
 *   merging   every two runs of like size are merged
 *   both      merges and the scan
 *
 * The log is bounded so that a MemTable is flushed every few seconds in both.
 */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { connect, type StormClient } from '../src/client/client.js';
import { Latencies, runOpenLoops } from './support/open-loop.js';
import { drawnKeys, keyText, RunMaker, type Settings, writeRuns } from './support/packed-storm.js';
import { type Figures, rounded, runBench } from './support/rounds.js';
import { Service } from './support/service.js';

const MIB = 2 ** 20;
const FILL_BATCH = 1000;
const FILL_OUTSTANDING = 8;
const WARM_UP_SECONDS = 5;

function configOf(fanIn: number): object {
  return {
    wal: { liveBytesMax: 32 * MIB },
    compaction: { fanIn },
    // Nothing is slowed for runs that pile up, in neither of the two.
    pressure: { runsSoft: 1000, runsHard: 2000 },
  };
}

async function getsWhile(
  settings: Settings,
  dir: string,
  fanIn: number,
  withScan: boolean,
): Promise<Figures> {
  const { seconds = 0, rate = 0, reads = 0, fill = 0, batch = 0 } = settings;
  const service = await Service.start(`${dir}/data`, { config: configOf(fanIn), shards: 1 });
  const kv = connect({ endpoints: [service.grpcAddress], deadlineMs: 60_000 });
  const keys = drawnKeys();
  await fillWith(kv, fill, () => keys.nextNumber());
  const endScan = withScan ? startScan(service.grpcAddress) : async () => 0;
  const makers: RunMaker[] = [];
  const load = (gets: Latencies, writes: Latencies): Parameters<typeof runOpenLoops>[1] => {
    const known = drawnKeys();
    const get = async (): Promise<void> => {
      if ((await kv.get(keyText(known.nextNumber()))) === undefined)
        throw new Error('A key is gone');
    };
    const write = async (): Promise<void> => {
      const maker = makers.pop() ?? new RunMaker(batch);
      const { errors } = await kv.batchPacked(maker.make(() => keys.nextNumber()));
      if (errors[0] !== undefined) throw errors[0].error;
      makers.push(maker);
    };
    return [
      { perSecond: rate / batch, latencies: writes, call: write },
      { perSecond: reads, latencies: gets, call: get },
    ];
  };
  await runOpenLoops(WARM_UP_SECONDS, load(new Latencies(), new Latencies()));
  const merges = await service.total('mergesTotal');
  const gets = new Latencies();
  const writes = new Latencies();
  const cpu = service.cpuSeconds();
  await runOpenLoops(seconds, load(gets, writes));
  const serverCpuShare = rounded((service.cpuSeconds() - cpu) / seconds);
  const merged = (await service.total('mergesTotal')) - merges;
  const scanned = await endScan();
  await kv.close();
  const { flushes = 0, sortedRuns = 0 } = await service.figures();
  await service.stop();
  const figures = { merges: merged, flushes, sortedRuns, scanned, serverCpuShare };
  return { ...tail('get', gets), ...tail('write', writes), ...figures };
}

async function fillWith(kv: StormClient, count: number, next: () => number): Promise<void> {
  let left = count;
  await writeRuns(kv, FILL_OUTSTANDING, Number.POSITIVE_INFINITY, FILL_BATCH, (maker) => {
    left -= FILL_BATCH;
    return left >= 0 ? maker.make(next) : undefined;
  });
}

/** Starts the scan; the function ends it and answers how many entries came. */
function startScan(address: string): () => Promise<number> {
  const url = new URL('./support/background-scan.js', import.meta.url);
  const worker = new Worker(url, { workerData: { address } });
  const counted = new Promise<number>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  return () => {
    worker.postMessage('stop');
    return counted;
  };
}

function tail(name: string, latencies: Latencies): Figures {
  return {
    [`${name}MsP50`]: rounded(latencies.percentile(0.5)),
    [`${name}MsP99`]: rounded(latencies.percentile(0.99)),
    [`${name}MsP999`]: rounded(latencies.percentile(0.999)),
    [`${name}MsMax`]: rounded(latencies.maxMs),
  };
}

await runBench(
  {
    name: 'read-under-merge',
    settings: { seconds: 30, rate: 40_000, reads: 500, fill: 2_000_000, batch: 200 },
    contenders: {
      still: (settings, dir) => getsWhile(settings, dir, 16, false),
      scanning: (settings, dir) => getsWhile(settings, dir, 16, true),
      merging: (settings, dir) => getsWhile(settings, dir, 2, false),
      both: (settings, dir) => getsWhile(settings, dir, 2, true),
    },
  },
  fileURLToPath(import.meta.url),
);
