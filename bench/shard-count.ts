/**
 * What a put costs by the number of shards: the same memory in all, the same batches on their way
 * for each shard.
 *
 *   node dist/bench/shard-count.js [--seconds 30] [--windowPerShard 8]
 */
import { fileURLToPath } from 'node:url';
import { type Settings, stormFigures, writePacked } from './support/packed-storm.js';
import { type Figures, runBench } from './support/rounds.js';

function withShards(shards: number) {
  return async (settings: Settings, dir: string): Promise<Figures> => {
    const outstanding = (settings['windowPerShard'] ?? 1) * shards;
    return await stormFigures(
      dir,
      settings,
      ({ grpcAddress }, endMs) => writePacked(grpcAddress, { ...settings, outstanding }, endMs),
      { shards },
    );
  };
}

await runBench(
  {
    name: 'shard-count',
    settings: { seconds: 30, batch: 1000, windowPerShard: 8 },
    contenders: {
      '1 shard': withShards(1),
      '2 shards': withShards(2),
      '4 shards': withShards(4),
      '8 shards': withShards(8),
    },
  },
  fileURLToPath(import.meta.url),
);
