/**
 * SIGKILL at random moments: a server in a process of its own, a load over its real doors, the
 * kill, a restart on the same data dir, and the question whether every acknowledged write is there.
 * Sizes are so small that flushes, merges and log rotations run all the time. Some kills hit the
 * restart itself. A killed process loses nothing that the kernel has; what power losses do is asked
 * in test/shard/crash-recovery.test.ts.
 *
 * RIG_KILLS: how many kills. RIG_SEED: repeats the choices of a run (not its timing).
 */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { PartialConfig } from '../../src/main.js';
import { checkKeys, type Door, GrpcDoor, HttpDoor, LoadWriter } from '../harness/load-client.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { ServerProcess } from '../harness/server-process.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('Server killed under load');
const KILLS = Number(process.env['RIG_KILLS'] ?? 50);
const SEED = Number(process.env['RIG_SEED'] ?? Date.now() % 1_000_000);
const GRPC_CHANNELS = 3;
const WRITERS_PER_CHANNEL = 12;
const HTTP_WRITERS = 4;
const KEYS_PER_WRITER = 60;
const FULL_CHECK_EVERY = 10;
const SAMPLE_KEYS = 5;
const KIB = 1024;

function configFor(dir: string): PartialConfig {
  return {
    data: { dir },
    shards: { count: 2 },
    grpc: { address: '127.0.0.1:0' },
    http: { address: '127.0.0.1:0' },
    limits: { keyBytesMax: 64, valueBytesMax: 2 * KIB, batchBytesMax: 4 * KIB, batchEntriesMax: 8 },
    memory: { bytesMax: 16 * KIB * KIB },
    wal: { segmentBytes: 64 * KIB, groupBytesMax: 16 * KIB, liveBytesMax: 128 * KIB },
    table: { bytesMax: 64 * KIB },
    compaction: { fanIn: 2 },
    log: { level: 'warn' },
  };
}

class KillRig {
  readonly totals = { kills: 0, killsInRestart: 0, recoveryMsMax: 0, readyMsMax: 0, replayed: 0 };
  readonly #config: PartialConfig;
  readonly #configFile: string;
  readonly #random: SeededRandom;
  readonly #writers: LoadWriter[];
  #server: ServerProcess;
  #doors: Door[] = [];

  constructor(dir: string, random: SeededRandom) {
    mkdirSync(join(dir, 'data'));
    this.#config = configFor(join(dir, 'data'));
    this.#configFile = join(dir, 'kv.config.json');
    this.#random = random;
    const count = GRPC_CHANNELS * WRITERS_PER_CHANNEL + HTTP_WRITERS;
    this.#writers = Array.from({ length: count }, (_, i) => {
      const name = `w${i}`;
      const keys = Array.from({ length: KEYS_PER_WRITER }, (_, k) => `${name}/${k}`);
      const mix = { valueBytesMax: KIB, deletes: 0.1, reads: 0.1 };
      return new LoadWriter({ name, random: new SeededRandom(SEED * 1000 + i), keys, ...mix });
    });
    this.#server = ServerProcess.spawn(this.#config, this.#configFile);
  }

  /** Waits for the server and opens the doors of its present life. */
  async serve(): Promise<void> {
    const { grpcAddress, httpAddress, startedMs, recoveredRecords, refusedShards } =
      await this.#server.ready;
    assert.equal(refusedShards, [], this.#server.stderrText);
    this.#doors = Array.from({ length: GRPC_CHANNELS }, () => new GrpcDoor(grpcAddress));
    this.#doors.push(new HttpDoor(httpAddress));
    const { totals } = this;
    totals.recoveryMsMax = Math.max(totals.recoveryMsMax, startedMs);
    totals.readyMsMax = Math.max(totals.readyMsMax, Math.round(this.#server.readyMs));
    totals.replayed += recoveredRecords;
  }

  /** Loads the server for a random time, kills it, and starts the next one. */
  async killUnderLoad(): Promise<void> {
    const writing = this.#writers.map((writer, i) => {
      const door = this.#doors[Math.floor(i / WRITERS_PER_CHANNEL)];
      assert.ok(door !== undefined);
      return writer.write(door, ({ error }) => (error.outcome === 'unknown' ? 'end' : 'pause'));
    });
    await sleep(20 + this.#random.nextInt(500));
    await this.#kill();
    await Promise.all(writing);
    for (const door of this.#doors) door.close();
    this.#restart();
    while (this.#random.chance(0.15)) {
      await sleep(this.#random.nextInt(400));
      await this.#kill();
      this.totals.killsInRestart++;
      this.#restart();
    }
  }

  /** Reads back what was written since the last check and a sample, or everything. */
  async check(isFull: boolean): Promise<void> {
    const wanted = this.#writers.map((writer) => {
      const { keys, uncheckedKeys } = writer.oracle;
      const from = this.#random.nextInt(KEYS_PER_WRITER);
      const sample = keys.slice(from, from + SAMPLE_KEYS);
      return { writer, keys: isFull ? keys : [...new Set([...uncheckedKeys, ...sample])] };
    });
    const findings = await checkKeys(this.#doors, wanted);
    for (const writer of this.#writers) findings.push(...writer.findings.splice(0));
    const texts = findings.map(({ fault, text }) => `${fault}: ${text}`);
    assert.equal(texts.slice(0, 20), [], `after kill ${this.totals.kills} of seed ${SEED}`);
  }

  sums(): Record<'acknowledged' | 'refused' | 'unknown' | 'checked', number> {
    const sum = { acknowledged: 0, refused: 0, unknown: 0, checked: 0 };
    for (const { oracle } of this.#writers) {
      sum.acknowledged += oracle.acknowledged;
      sum.refused += oracle.refused;
      sum.unknown += oracle.unknown;
      sum.checked += oracle.checked;
    }
    return sum;
  }

  async end(): Promise<void> {
    for (const door of this.#doors) door.close();
    await this.#server.kill();
  }

  async #kill(): Promise<void> {
    await this.#server.kill();
    this.totals.kills++;
  }

  #restart(): void {
    this.#server = ServerProcess.spawn(this.#config, this.#configFile);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

test(
  `loses nothing that it acknowledged in ${KILLS} kills`,
  () =>
    withTempDir(async (dir) => {
      const rig = new KillRig(dir, new SeededRandom(SEED));
      try {
        await rig.serve();
        for (let round = 1; rig.totals.kills < KILLS; round++) {
          await rig.killUnderLoad();
          await rig.serve();
          await rig.check(round % FULL_CHECK_EVERY === 0 || rig.totals.kills >= KILLS);
        }
      } finally {
        await rig.end();
      }
      const sums = rig.sums();
      console.log(JSON.stringify({ seed: SEED, ...rig.totals, ...sums, lost: 0 }));
      assert.ok(sums.acknowledged > KILLS * 20, 'the load was a load');
      assert.ok(rig.totals.replayed > KILLS, 'the kills came before all was flushed');
      const files = readdirSync(join(dir, 'data'), { recursive: true }).map(String);
      assert.ok(
        files.some((name) => name.endsWith('.sst')),
        `MemTables were flushed: ${files}`,
      );
    }),
  280_000,
);

run();
