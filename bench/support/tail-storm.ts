/** Writes and reads at a steady rate into a fresh server: how long single calls wait. */
import { readFileSync } from 'node:fs';
import { connect } from '../../src/client/client.js';
import { Latencies, runOpenLoops } from './open-loop.js';
import { drawnKeys, keyText, RunMaker, type Settings, stormFigures } from './packed-storm.js';
import type { Figures } from './rounds.js';
import { rounded } from './rounds.js';
import type { ServiceOptions } from './service.js';

/** Half of what the sustained bench says, where it has run; else a modest rate. */
const RATE_UNKNOWN = 100_000;

export async function tailFigures(
  dir: string,
  settings: Settings,
  options: ServiceOptions = {},
): Promise<Figures> {
  const { seconds = 0, batch = 0, reads = 0 } = settings;
  const rate = settings['rate'] || halfOfSustained();
  const acks = new Latencies();
  const gets = new Latencies();
  const figures = await stormFigures(
    dir,
    settings,
    async ({ grpcAddress }) => {
      const kv = connect({ endpoints: [grpcAddress], deadlineMs: 60_000 });
      const keys = drawnKeys();
      const makers: RunMaker[] = [];
      // Those that were written, a little behind what is being written.
      const known = drawnKeys();
      let acknowledged = 0;
      let missing = 0;
      let drawn = 0;
      const write = async (): Promise<void> => {
        const maker = makers.pop() ?? new RunMaker(batch);
        const run = maker.make(() => keys.nextNumber());
        const { written, errors } = await kv.batchPacked(run);
        makers.push(maker);
        if (errors[0] !== undefined) throw errors[0].error;
        acknowledged += written;
      };
      const read = async (): Promise<void> => {
        const isWritten = drawn++ < acknowledged - 100 * batch;
        const found = await kv.get(keyText(known.nextNumber()));
        if (isWritten && found === undefined) missing++;
      };
      await runOpenLoops(seconds, [
        { perSecond: rate / batch, latencies: acks, call: write },
        { perSecond: reads, latencies: gets, call: read },
      ]);
      await kv.close();
      if (missing > 0) throw new Error(`${missing} acknowledged keys were not found`);
      return { acknowledged, latencyMs: [] };
    },
    options,
  );
  const { latencyMsP50: _p50, latencyMsP99: _p99, ...others } = figures;
  return { rate, ...tail('ack', acks), ...tail('get', gets), ...others };
}

function tail(name: string, latencies: Latencies): Figures {
  return {
    [`${name}MsP50`]: rounded(latencies.percentile(0.5)),
    [`${name}MsP99`]: rounded(latencies.percentile(0.99)),
    [`${name}MsP999`]: rounded(latencies.percentile(0.999)),
    [`${name}MsMax`]: rounded(latencies.maxMs),
    [`${name}Calls`]: latencies.count,
  };
}

function halfOfSustained(): number {
  try {
    const { contenders } = JSON.parse(readFileSync('bench/results/sustained.json', 'utf8'));
    return Math.round(contenders.stormkv.entriesPerSecond.median / 2);
  } catch {
    return RATE_UNKNOWN;
  }
}
