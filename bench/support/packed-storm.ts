/** Storms of drawn keys into a real server: what the benches of the service have in common. */
import { putLength, RUN_FORMAT, RUN_HEADER_BYTES, writePut } from '../../src/base/entry-run.js';
import { connect, type StormClient } from '../../src/client/client.js';
import { percentile } from './bench-engine.js';
import { probeSyncMs } from './disk-probe.js';
import { type Figures, rounded } from './rounds.js';
import { Service, type ServiceOptions } from './service.js';
import { KEY_BYTES, sampleValue, VALUE_BYTES } from './storm-keys.js';
import { TextKeys, writeTextKey } from './text-keys.js';

export const KEY_SPACE = 100_000_000;
const SEED = 1;
const CHECKED_MAX = 20_000;
const READERS = 1000;
const PUT_BYTES = putLength(KEY_BYTES, VALUE_BYTES);

export type Settings = Record<string, number>;

/** What a way of writing reports: how many were acknowledged, and how long single calls took. */
export interface Written {
  acknowledged: number;
  latencyMs: number[];
}

/** The keys that every storm draws, from the first one on. */
export function drawnKeys(): TextKeys {
  return new TextKeys(KEY_SPACE, SEED);
}

export function keyText(number: number): string {
  const bytes = Buffer.alloc(KEY_BYTES);
  writeTextKey(bytes, 0, number);
  return bytes.toString('latin1');
}

/** Runs of puts whose keys are drawn, or given by number; each overwrites the one before. */
export class RunMaker {
  readonly #run: Uint8Array;
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
    this.#run = new Uint8Array(RUN_HEADER_BYTES + count * PUT_BYTES);
    this.#run[0] = RUN_FORMAT;
    let at = RUN_HEADER_BYTES;
    for (let i = 0; i < count; i++) {
      at = writePut(this.#run, at, new Uint8Array(KEY_BYTES), sampleValue(i));
    }
  }

  make(nextNumber: () => number): Uint8Array {
    const run = this.#run;
    // Behind the msgpack header of the key, which is two bytes for so short a one.
    let at = RUN_HEADER_BYTES + 2;
    for (let i = 0; i < this.#count; i++, at += PUT_BYTES) writeTextKey(run, at, nextNumber());
    return run;
  }
}

/** Keeps so many batches going until the time is up or `makeRun` has no more. */
export async function writeRuns(
  kv: StormClient,
  outstanding: number,
  endMs: number,
  batch: number,
  makeRun: (maker: RunMaker) => Uint8Array | undefined,
  onWritten: (count: number) => void = () => {},
): Promise<Written> {
  const total: Written = { acknowledged: 0, latencyMs: [] };
  const lane = async (): Promise<void> => {
    const maker = new RunMaker(batch);
    while (performance.now() < endMs) {
      const run = makeRun(maker);
      if (run === undefined) return;
      const started = performance.now();
      const { written, errors } = await kv.batchPacked(run);
      if (errors[0] !== undefined) throw errors[0].error;
      total.acknowledged += written;
      total.latencyMs.push(performance.now() - started);
      onWritten(written);
    }
  };
  await Promise.all(Array.from({ length: outstanding }, lane));
  return total;
}

/** As `writeRuns`, with drawn keys and a client of its own. */
export async function writePacked(
  address: string,
  { batch = 0, outstanding = 0 }: Settings,
  endMs: number,
  onWritten?: (count: number) => void,
): Promise<Written> {
  const kv = connect({ endpoints: [address], deadlineMs: 60_000 });
  const keys = drawnKeys();
  const makeRun = (maker: RunMaker): Uint8Array => maker.make(() => keys.nextNumber());
  const written = await writeRuns(kv, outstanding, endMs, batch, makeRun, onWritten);
  await kv.close();
  return written;
}

/** A fresh server, so many seconds of writes, its costs, and a look at what it kept. */
export async function stormFigures(
  dir: string,
  settings: Settings,
  write: (service: Service, endMs: number) => Promise<Written>,
  options: ServiceOptions = {},
): Promise<Figures> {
  const { seconds = 0 } = settings;
  const diskSyncMsP50 = rounded(probeSyncMs(dir));
  const service = await Service.start(`${dir}/data`, options);
  const cpu = process.cpuUsage();
  const serverBefore = service.cpuSeconds();
  const started = performance.now();
  const { acknowledged, latencyMs } = await write(service, started + seconds * 1000);
  const took = (performance.now() - started) / 1000;
  const serverCpu = service.cpuSeconds() - serverBefore;
  const { user, system } = process.cpuUsage(cpu);
  const figures = await service.figures();
  const durable = await service.total('writeEntriesTotal');
  await service.stop();
  if (durable < acknowledged) throw new Error(`${acknowledged} answered, ${durable} durable`);
  return {
    entriesPerSecond: rounded(acknowledged / took),
    latencyMsP50: rounded(percentile(latencyMs, 0.5)),
    latencyMsP99: rounded(percentile(latencyMs, 0.99)),
    serverCpuMicrosPerEntry: rounded((serverCpu * 1e6) / acknowledged),
    clientCpuMicrosPerEntry: rounded((user + system) / acknowledged),
    acknowledged,
    diskSyncMsP50,
    ...figures,
    ...(await verified(`${dir}/data`, acknowledged, options)),
  };
}

/** Opens the store anew and looks for the first keys that were drawn; all were acknowledged. */
export async function verified(
  dataDir: string,
  acknowledged: number,
  { preload: _, ...options }: ServiceOptions = {},
): Promise<Figures> {
  const service = await Service.start(dataDir, options);
  const kv = connect({ endpoints: [service.grpcAddress], deadlineMs: 60_000 });
  const keys = drawnKeys();
  const count = Math.min(CHECKED_MAX, acknowledged);
  let missing = 0;
  for (let from = 0; from < count; from += READERS) {
    const length = Math.min(READERS, count - from);
    const gets = Array.from({ length }, () => kv.get(keyText(keys.nextNumber())));
    missing += (await Promise.all(gets)).filter((value) => value === undefined).length;
  }
  const { recoveredRecords, startedMs } = service.info;
  await kv.close();
  await service.stop();
  if (missing > 0) throw new Error(`${missing} of ${count} acknowledged keys are missing`);
  return { keysFoundAfterRestart: count, recoveredRecords, restartMs: rounded(startedMs) };
}
