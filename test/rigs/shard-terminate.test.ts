/**
 * The thread of one shard is terminated at random moments under load, again and again, while the
 * process lives: what the others notice (nothing), what callers in flight are told, how long the
 * shard is away, and whether anything it acknowledged is lost.
 *
 * RIG_TERMINATIONS: how many. RIG_SEED: repeats the choices of a run (not its timing).
 */
import * as assert from 'uvu/assert';
import type { Cluster, PartialConfig } from '../../src/main.js';
import { smallConfig, until, withCluster } from '../cluster/cluster-rig.js';
import { checkKeys, type Door, GrpcDoor } from '../harness/load-client.js';
import { SeededRandom } from '../harness/seeded-random.js';
import {
  everyoneWrites,
  judgeFailures,
  makeShardWriters,
  type ShardWriter,
} from '../harness/shard-load.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('Shard terminated under load');
const TERMINATIONS = Number(process.env['RIG_TERMINATIONS'] ?? 50);
const SEED = Number(process.env['RIG_SEED'] ?? Date.now() % 1_000_000);
const SHARDS = 3;
const WRITERS_PER_SHARD = 10;
const VALUE_BYTES_MAX = 1024;

/** Watches that the sequence numbers of every shard only rise, through all its lives. */
class SequenceWatch {
  readonly highest = Array.from({ length: SHARDS }, () => 0);
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  look(): void {
    for (const [shard, before] of this.highest.entries()) {
      const now = this.#cluster.shardStats(shard).durableSequence;
      assert.ok(now >= before, `shard ${shard} went back from sequence ${before} to ${now}`);
      this.highest[shard] = now;
    }
  }
}

interface Gaps {
  maxMs: number;
  sumMs: number;
}

/** Terminates a shard in the middle of its work and waits until it serves again. */
async function terminateOnce(
  cluster: Cluster,
  victim: number,
  random: SeededRandom,
  gaps: Gaps,
  watch: SequenceWatch,
): Promise<void> {
  const { writesTotal } = cluster.shardStats(victim);
  const wanted = writesTotal + 1 + random.nextInt(200);
  await until(() => {
    assert.is.not(cluster.shardState(victim).phase, 'refused', cluster.shardState(victim).reason);
    return cluster.shardStats(victim).writesTotal >= wanted;
  });
  watch.look();
  const { epoch } = cluster.shardState(victim);
  const startMs = performance.now();
  await cluster.killShard(victim);
  watch.look();
  await until(() => ['serving', 'refused'].includes(cluster.shardState(victim).phase));
  const { phase, reason } = cluster.shardState(victim);
  assert.is(phase, 'serving', reason);
  const gapMs = performance.now() - startMs;
  gaps.maxMs = Math.max(gaps.maxMs, gapMs);
  gaps.sumMs += gapMs;
  watch.look();
  assert.is(cluster.shardState(victim).epoch, epoch + 1);
}

async function terminateUnderLoad(cluster: Cluster): Promise<void> {
  const random = new SeededRandom(SEED);
  const writers = makeShardWriters({
    shards: SHARDS,
    writersPerShard: WRITERS_PER_SHARD,
    valueBytesMax: VALUE_BYTES_MAX,
    seed: SEED,
  });
  const doors: Door[] = [0, 1, 2].map(() => new GrpcDoor(cluster.grpcAddress));
  const gaps = { maxMs: 0, sumMs: 0 };
  const watch = new SequenceWatch(cluster);
  let victim = 0;
  const writing = writers.map((writer, i) => writer.write(doors[i % doors.length] as Door));
  try {
    for (let n = 1; n <= TERMINATIONS; n++) {
      await terminateOnce(cluster, victim, random, gaps, watch);
      // A shard is the victim for a while, so that its deaths follow each other closely.
      if (n % 5 !== 0) continue;
      await everyoneWrites(writers);
      judgeFailures(writers, victim);
      victim = random.nextInt(SHARDS);
    }
  } finally {
    for (const { writer } of writers) writer.stop();
    await Promise.all(writing);
  }
  judgeFailures(writers, victim);
  const findings = await checkKeys(
    doors,
    writers.map(({ writer }) => ({ writer, keys: writer.oracle.keys })),
  );
  for (const door of doors) door.close();
  watch.look();
  report(writers, gaps, watch);
  const texts = findings.map(({ fault, text }) => `${fault}: ${text}`);
  assert.equal(texts.slice(0, 20), [], `seed ${SEED}`);
}

function report(writers: ShardWriter[], gaps: Gaps, watch: SequenceWatch): void {
  const sums = Array.from({ length: SHARDS }, () => ({ acknowledged: 0, unknown: 0, refused: 0 }));
  for (const { shard, writer } of writers) {
    const sum = sums[shard];
    if (sum === undefined) continue;
    sum.acknowledged += writer.oracle.acknowledged;
    sum.unknown += writer.oracle.unknown;
    sum.refused += writer.oracle.refused;
  }
  const gapMs = { max: Math.round(gaps.maxMs), mean: Math.round(gaps.sumMs / TERMINATIONS) };
  console.log(JSON.stringify({ seed: SEED, terminations: TERMINATIONS, gapMs, shards: sums }));
  sums.forEach(({ acknowledged, unknown }, shard) => {
    const sequence = watch.highest[shard] ?? 0;
    assert.ok(acknowledged > 0, `shard ${shard} was loaded`);
    // Were a number given out twice, there would be more acknowledged writes than numbers.
    assert.ok(sequence >= acknowledged, `${acknowledged} writes of shard ${shard}: ${sequence}`);
    assert.ok(sequence <= acknowledged + unknown, `${sequence}: no write has two numbers`);
  });
}

function config(dir: string): PartialConfig {
  return { ...smallConfig(dir, SHARDS), supervision: { restartBackoffMsMax: 50 } };
}

test(
  `loses nothing in ${TERMINATIONS} terminations, and the other shards never fail a call`,
  () => withTempDir((dir) => withCluster(config(dir), terminateUnderLoad)),
  150_000,
);

run();
