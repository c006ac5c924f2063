/**
 * What the stages of a write cost on their own, without a disk that waits: staging, sealing a
 * frame, applying to the MemTable, replaying, flushing, merging. One process, one thread.
 *
 *   node dist/bench/stages.js [--entries 600000] [--rounds 5] [--place /dev/shm]
 */
import { fileURLToPath } from 'node:url';
import { fileNumber } from '../src/base/ids.js';
import type { TableMeta } from '../src/base/table-meta.js';
import { runJob } from '../src/compactor/run-job.js';
import type { Job } from '../src/rpc/jobs.js';
import { CommitGroup } from '../src/shard/commit-group.js';
import { MemTable } from '../src/shard/mem-table.js';
import { ArenaCursor } from '../src/storage/arena-cursor.js';
import { FRAME_DATA, readFrame, sealFrame } from '../src/storage/log-frame.js';
import { nodeFileSystem } from '../src/storage/node-file-system.js';
import { shippedOptions } from './support/bench-engine.js';
import { type Figures, rounded, runBench } from './support/rounds.js';
import { BatchMaker } from './support/storm-keys.js';

const BATCHES_PER_GROUP = 4;
const RUNS = 4;

/** Nanoseconds per entry of each stage; a later pass of the same code overwrites an earlier one. */
class Stopwatch {
  readonly #ms = new Map<string, number>();

  time<T>(stage: string, work: () => T): T {
    const started = performance.now();
    const result = work();
    this.#add(stage, performance.now() - started);
    return result;
  }

  /** For long stages: the CPU of the process, which others on the machine disturb less. */
  timeCpu<T>(stage: string, work: () => T): T {
    const before = process.cpuUsage();
    const result = work();
    const { user, system } = process.cpuUsage(before);
    this.#add(stage, (user + system) / 1000);
    return result;
  }

  #add(stage: string, ms: number): void {
    this.#ms.set(stage, (this.#ms.get(stage) ?? 0) + ms);
  }

  figures(entries: number): Figures {
    return Object.fromEntries(
      [...this.#ms].map(([stage, ms]) => [`${stage}Ns`, rounded((ms * 1e6) / entries)]),
    );
  }

  reset(): void {
    this.#ms.clear();
  }
}

class Stages {
  readonly watch = new Stopwatch();
  readonly #maker: BatchMaker;
  readonly #group: CommitGroup;
  readonly #dir: string;
  readonly #options: ReturnType<typeof shippedOptions>['engine'];
  #nextNumber = 1;

  constructor(batch: number, dir: string, compresses: boolean) {
    this.#maker = new BatchMaker(batch, 1);
    const { engine } = shippedOptions(dir);
    this.#options = compresses
      ? engine
      : { ...engine, table: { ...engine.table, compression: 'none' } };
    this.#group = new CommitGroup(this.#options.walGroupBytesMax + this.#options.batchBytesMax);
    this.#dir = dir;
  }

  fill(arena: SharedArrayBuffer, entries: number, firstSequence: number): MemTable {
    const { watch } = this;
    const table = watch.time('newMemTable', () => new MemTable(arena));
    const group = this.#group;
    for (let sequence = firstSequence; sequence < firstSequence + entries; ) {
      group.reset();
      group.firstSequence = sequence;
      for (let i = 0; i < BATCHES_PER_GROUP; i++) {
        const run = watch.time('makeKeys', () => this.#maker.make());
        watch.time('stage', () => group.stage(0, i, run, 0, run.length));
      }
      watch.time('seal', () => sealGroup(group));
      watch.time('apply', () => group.applyTo(table));
      watch.time('verify', () => readFrame(group.bytes, 0));
      sequence += group.count;
    }
    return table;
  }

  flush(arena: SharedArrayBuffer): TableMeta[] {
    const outputs = [fileNumber(this.#nextNumber++)];
    const table = this.#options.table;
    this.watch.timeCpu('flushSortCpu', () => new ArenaCursor(arena));
    const job: Job = { kind: 'flush', dir: this.#dir, arena, snapshots: [], outputs, table };
    return this.#run('flush', job);
  }

  merge(runs: TableMeta[][]): void {
    const outputs = [fileNumber(this.#nextNumber++), fileNumber(this.#nextNumber++)];
    const { table } = this.#options;
    const dir = this.#dir;
    const job: Job = {
      kind: 'merge',
      dir,
      runs,
      older: [],
      snapshots: [],
      nowMs: 0,
      outputs,
      table,
    };
    this.#run('merge', job);
  }

  #run(stage: string, job: Job): TableMeta[] {
    const result = this.watch.timeCpu(`${stage}Cpu`, () => runJob(nodeFileSystem, job));
    if (!result.ok) throw new Error(result.message);
    return result.output.tables;
  }
}

function sealGroup(group: CommitGroup): void {
  sealFrame(group.bytes, group.view, {
    payloadLength: group.payloadLength,
    type: FRAME_DATA,
    count: group.count,
    nonce: 1,
    offset: 0,
    firstSequence: group.firstSequence,
    syncedOffset: 0,
    commitTimeMs: 0,
    chain: 0,
  });
}

async function stormkv(
  { entries = 0, batch = 0, compression = 1 }: Record<string, number>,
  dir: string,
): Promise<Figures> {
  const stages = new Stages(batch, dir, compression !== 0);
  const arena = new SharedArrayBuffer(shippedOptions(dir).engine.arenaBytes);
  new Uint8Array(arena).fill(0);
  const rounded512 = Math.floor(entries / (batch * BATCHES_PER_GROUP)) * batch * BATCHES_PER_GROUP;
  // Once to warm up, unseen.
  stages.fill(arena, rounded512, 1);
  stages.flush(arena);
  stages.watch.reset();
  const runs: TableMeta[][] = [];
  for (let run = 0; run < RUNS; run++) {
    stages.fill(arena, rounded512, 1 + run * rounded512);
    runs.unshift(stages.flush(arena));
  }
  stages.merge(runs);
  return stages.watch.figures(rounded512 * RUNS);
}

await runBench(
  {
    name: 'stages',
    // `compression`: 1 as shipped, 0 none.
    settings: { entries: 570_000, batch: 512, compression: 1 },
    contenders: { stormkv },
  },
  fileURLToPath(import.meta.url),
);
