/** Writers whose keys lie on one shard each, so that a failure tells which shard failed. */
import * as assert from 'uvu/assert';
import { shardOf } from '../cluster/cluster-rig.js';
import { type Door, type Failure, LoadWriter } from './load-client.js';
import { SeededRandom } from './seeded-random.js';
import { withDeadline } from './suite.js';

const KEYS_PER_WRITER = 60;
const WRITE_MS_MAX = 15_000;

export interface ShardLoadOptions {
  shards: number;
  writersPerShard: number;
  valueBytesMax: number;
  seed: number;
}

export class ShardWriter {
  readonly shard: number;
  readonly writer: LoadWriter;
  /** Since they were last judged. */
  readonly failures: Failure[] = [];

  constructor(index: number, { shards, valueBytesMax, seed }: ShardLoadOptions) {
    this.shard = index % shards;
    const name = `w${index}`;
    const keys: string[] = [];
    for (let n = 0; keys.length < KEYS_PER_WRITER; n++) {
      if (shardOf(`${name}/${n}`, shards) === this.shard) keys.push(`${name}/${n}`);
    }
    const random = new SeededRandom(seed * 1000 + index);
    this.writer = new LoadWriter({ name, random, keys, valueBytesMax, deletes: 0.1, reads: 0.1 });
  }

  /** Calls until the writer is told to stop; failures are kept. */
  write(door: Door): Promise<void> {
    return this.writer.write(door, (failure) => {
      this.failures.push(failure);
      return 'pause';
    });
  }
}

export function makeShardWriters(options: ShardLoadOptions): ShardWriter[] {
  const count = options.shards * options.writersPerShard;
  return Array.from({ length: count }, (_, i) => new ShardWriter(i, options));
}

/** Callers of the victim may be told UNAVAILABLE; all others must not be told anything. */
export function judgeFailures(writers: readonly ShardWriter[], victim: number): void {
  for (const { shard, failures, writer } of writers) {
    const texts = failures.splice(0).map(({ key, error }) => ({
      text: `shard ${shard}, ${key}: ${error.code} ${error.outcome} ${error.message}`,
      code: error.code,
    }));
    const wrong = texts.filter(({ code }) => shard !== victim || code !== 'UNAVAILABLE');
    assert.equal(wrong.slice(0, 5), []);
    assert.equal(writer.findings.splice(0), []);
  }
}

/** Resolves when each writer was answered once more: no answer from before is on its way then. */
export function everyoneWrites(writers: readonly ShardWriter[]): Promise<void> {
  const before = writers.map(({ writer }) => writer.oracle.acknowledged);
  const haveAll = async (): Promise<void> => {
    while (!writers.every(({ writer }, i) => writer.oracle.acknowledged > (before[i] ?? 0))) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  return withDeadline(haveAll(), 'every writer writes', WRITE_MS_MAX);
}
