/**
 * The base workloads of the crash rigs: each one does a thing that a store does, from an empty disk
 * on, in the same order each time. What it must have done to the disk is part of it, so that none
 * goes stale when the engine changes. Resharding does not exist yet; it belongs here when it does.
 */
import type { EngineOptions } from '../../src/rpc/control.js';
import type { CrashMachine } from './crash-machine.js';
import type { Write } from './crash-model.js';
import { SeededRandom } from './seeded-random.js';
import { SimulatedCrash } from './simulated-operations.js';

export interface Workload {
  name: string;
  run(machine: CrashMachine): void;
  options?: Partial<EngineOptions>;
  /** `kind file` of operations that it must do, like `remove table`. */
  mustDo: readonly string[];
}

/** Puts of these keys; values are never the same twice. */
function puts(machine: CrashMachine, ...keys: string[]): Write[] {
  const { sequence, open } = machine.expected;
  const tag = `${machine.lives}.${sequence}.${open.length}`;
  return keys.map((key) => ({
    key,
    value: `${tag}.${key}:${'x'.repeat(20 + 40 * (sequence % 5))}`,
  }));
}

function deletes(...keys: string[]): Write[] {
  return keys.map((key) => ({ key, value: undefined }));
}

function putEach(machine: CrashMachine, ...keys: string[]): void {
  for (const key of keys) machine.put(puts(machine, key));
}

function reopen(machine: CrashMachine): void {
  machine.close();
  machine.open();
}

/** Runs until the n-th change of a kind of file from now on, and stops the world before it. */
function stopBefore(machine: CrashMachine, what: RegExp, n: number, work: () => void): void {
  const { disk } = machine;
  const watched = disk.beforeOperation;
  let left = n;
  disk.beforeOperation = (operation) => {
    watched?.(operation);
    if (what.test(`${operation.kind} ${operation.path}`) && --left === 0)
      throw new SimulatedCrash();
  };
  try {
    work();
  } catch (error) {
    if (left > 0) throw error;
  }
  disk.beforeOperation = watched;
  if (left > 0 && !machine.isTolerant)
    throw new Error(`${what} happened ${n - left} times, not ${n}`);
}

/** Runs what must fail; the engine is poisoned then, and the process gives it up. */
function expectPoison(machine: CrashMachine, work: () => void): void {
  if (machine.isTolerant) {
    work();
    return;
  }
  try {
    work();
  } catch (error) {
    if (machine.engine.poison === undefined) throw error;
    machine.close();
    return;
  }
  throw new Error('The write should have failed');
}

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'open an empty store',
    run: (m) => m.open(),
    mustDo: ['makeDir dir', 'rename root', 'syncDir dir', 'rename current', 'sync wal'],
  },
  {
    name: 'open a store that was never written, again',
    run(m) {
      m.open();
      reopen(m);
      m.kill();
      m.open();
    },
    mustDo: ['remove manifest', 'rename current'],
  },
  {
    name: 'put',
    run(m) {
      m.open();
      putEach(m, 'a', 'b', 'c');
    },
    mustDo: ['write wal', 'sync wal'],
  },
  {
    name: 'batches in one group',
    run(m) {
      m.open();
      m.put(puts(m, 'a', 'b', 'c'), puts(m, 'd'), [...puts(m, 'a', 'e'), ...deletes('b')]);
      m.put(puts(m, 'f', 'a'), deletes('d'));
    },
    mustDo: ['write wal', 'sync wal'],
  },
  {
    name: 'delete',
    run(m) {
      m.open();
      m.put(puts(m, 'a', 'b', 'c', 'd'));
      m.put(deletes('a', 'nothing'));
      m.flush();
      m.put(deletes('b', 'fill-0'));
      m.flush();
    },
    mustDo: ['sync table.tmp', 'sync manifest'],
  },
  {
    name: 'overwrite',
    run(m) {
      m.open();
      for (let i = 0; i < 6; i++) m.put(puts(m, 'a', 'b'));
      m.flush();
      for (let i = 0; i < 3; i++) m.put(puts(m, 'a'), deletes('b'), puts(m, 'b'));
    },
    mustDo: ['sync table.tmp'],
  },
  {
    name: 'expire',
    run(m) {
      m.open();
      m.put([
        { key: 'short', value: 'gone soon', ttlMs: 50 },
        { key: 'long', value: 'stays', ttlMs: 3_600_000 },
      ]);
      m.put(puts(m, 'short'), [{ key: 'short', value: 'gone too', ttlMs: 80 }]);
      m.flush();
      m.tick(100);
      m.put([{ key: 'long', value: 'shorter', ttlMs: 10 }]);
      m.tick(20);
      m.flush();
      m.rest();
      m.compare();
    },
    mustDo: ['sync table.tmp'],
  },
  {
    name: 'rotate segments',
    run(m) {
      m.open();
      for (let i = 0; i < 7; i++) {
        m.put(puts(m, `k${i}`));
        m.engine.maintain();
        m.jobs.runAll('fill-segment');
      }
    },
    mustDo: ['write wal', 'rename wal', 'syncDir dir'],
  },
  {
    name: 'recycle a segment',
    options: { walSparesMax: 2 },
    run(m) {
      m.open();
      for (let round = 0; round < 2; round++) {
        m.flush();
        putEach(m, 'a', 'b', 'c', 'd', 'e');
      }
    },
    mustDo: ['sync table.tmp', 'write wal'],
  },
  {
    name: 'fill spare segments',
    options: { walSparesMax: 3 },
    run(m) {
      m.open();
      m.put(puts(m, 'a'));
      m.rest();
      m.put(puts(m, 'b'));
      m.rest();
    },
    mustDo: ['create wal.tmp', 'sync wal.tmp', 'rename wal'],
  },
  {
    name: 'flush',
    run(m) {
      m.open();
      m.put(puts(m, 'a', 'b'));
      m.flush();
    },
    mustDo: ['create table.tmp', 'sync table.tmp', 'sync manifest', 'syncDir dir'],
  },
  {
    name: 'flush into several tables',
    options: {
      table: { blockBytes: 128, tableBytesMax: 512, bloomBitsPerKey: 10, restartInterval: 4 },
    },
    run(m) {
      m.open();
      for (let i = 0; i < 6; i++) m.put(puts(m, `a${i}`, `b${i}`));
      m.flush();
    },
    mustDo: ['create table.tmp', 'sync manifest'],
  },
  {
    name: 'write while a flush waits',
    run(m) {
      m.open();
      for (let i = 0; m.engine.figures().frozenMemTables === 0; i++) {
        m.put(puts(m, `k${i % 4}`));
        m.engine.maintain();
        m.jobs.runAll('fill-segment');
      }
      putEach(m, 'late', 'later');
      m.jobs.runAll('flush');
      putEach(m, 'last');
      m.rest();
    },
    mustDo: ['sync table.tmp', 'sync manifest'],
  },
  {
    name: 'merge',
    run(m) {
      m.open();
      m.put(puts(m, 'a', 'b'), deletes('c'));
      m.flush();
      m.put(puts(m, 'a', 'c'), deletes('b'));
      m.flush();
      m.rest();
    },
    mustDo: ['create table.tmp', 'remove table', 'sync manifest'],
  },
  {
    name: 'several merges',
    run(m) {
      m.open();
      for (let i = 0; i < 5; i++) {
        m.put(puts(m, 'a', `k${i}`), deletes(`k${i - 2}`));
        m.flush();
      }
      m.rest();
    },
    mustDo: ['create table.tmp', 'remove table'],
  },
  {
    name: 'drop deletes in the oldest run',
    run(m) {
      m.open();
      m.put(puts(m, 'a', 'b', 'c', 'd'));
      m.flush();
      m.put(deletes('a', 'b', 'c', 'd'));
      m.flush();
      m.put(deletes('fill-0', 'fill-1', 'fill-2'));
      m.flush();
      m.flush();
      m.rest();
      m.compare();
    },
    mustDo: ['remove table'],
  },
  {
    name: 'merge under a snapshot',
    run(m) {
      m.open();
      m.put(puts(m, 'a', 'b'));
      m.flush();
      const snapshot = m.engine.openSnapshot();
      m.put(puts(m, 'a'), deletes('b'));
      m.flush();
      m.rest();
      m.engine.closeSnapshot(snapshot.id);
      m.put(deletes('a'));
      m.flush();
      m.rest();
    },
    mustDo: ['create table.tmp'],
  },
  {
    name: 'roll the manifest after a failed edit',
    run(m) {
      m.open();
      m.put(puts(m, 'a'));
      m.disk.fail({ kind: 'sync', code: 'EIO', path: 'manifest' });
      m.flush();
      m.put(puts(m, 'b'));
      m.flush();
    },
    mustDo: ['create manifest', 'remove manifest', 'rename current'],
  },
  {
    name: 'fail to switch to a new manifest',
    run(m) {
      m.open();
      m.put(puts(m, 'a'));
      m.disk.fail({ kind: 'write', code: 'EIO', path: 'manifest' });
      m.disk.fail({ kind: 'rename', code: 'EIO', path: 'CURRENT' });
      m.disk.fail({ kind: 'sync', code: 'EIO', path: 'CURRENT', nth: 2 });
      m.flush();
      m.put(puts(m, 'b'));
      m.rest();
    },
    mustDo: ['create manifest', 'remove manifest', 'rename current'],
  },
  {
    name: 'open after a clean close',
    run(m) {
      m.open();
      m.put(puts(m, 'a', 'b'));
      reopen(m);
      m.put(puts(m, 'a'));
      m.flush();
      reopen(m);
      m.put(puts(m, 'c'));
    },
    mustDo: ['sync wal', 'rename current', 'remove manifest'],
  },
  {
    name: 'open after the process died',
    run(m) {
      m.open();
      m.put(puts(m, 'a', 'b'));
      stopBefore(m, /^sync .*seg/, 1, () => m.put(puts(m, 'a', 'c')));
      m.kill();
      m.open();
      m.put(puts(m, 'b'));
      m.kill();
      m.open();
    },
    mustDo: ['sync wal', 'rename current'],
  },
  {
    name: 'open after the power failed, with a torn tail',
    run(m) {
      m.open();
      m.put(puts(m, 'a', 'b'));
      stopBefore(m, /^sync .*seg/, 1, () => m.put(puts(m, ...Array.from('abcdefgh'))));
      m.losePower(3, 'subset');
      m.open();
      m.put(puts(m, 'b'));
      m.losePower(4, 'synced-only');
      m.open();
      m.put(puts(m, 'c'));
    },
    mustDo: ['sync wal', 'rename current'],
  },
  {
    name: 'recover with distrust after a failed sync',
    run(m) {
      m.open();
      m.put(puts(m, 'a', 'b'));
      m.disk.fail({ kind: 'sync', code: 'EIO', path: '.seg' });
      expectPoison(m, () => m.put(puts(m, 'a', 'c')));
      m.kill();
      m.open();
      m.put(puts(m, 'd'));
    },
    mustDo: ['create distrust', 'remove distrust', 'rename wal', 'sync table.tmp'],
  },
  {
    name: 'recover with distrust after a failed write',
    run(m) {
      m.open();
      m.put(puts(m, 'a', 'b'));
      m.rest();
      m.disk.fail({ kind: 'write', code: 'SHORT', path: '.seg' });
      expectPoison(m, () => m.put(puts(m, 'a', 'c'), puts(m, 'e')));
      m.open();
      m.put(puts(m, 'd'));
      m.close();
    },
    mustDo: ['create distrust', 'remove distrust', 'rename wal', 'sync table.tmp'],
  },
  {
    name: 'close with a seal',
    run(m) {
      m.open();
      m.put(puts(m, 'a'));
      m.close();
    },
    mustDo: ['write wal', 'sync wal', 'sync manifest'],
  },
  {
    name: 'seal when idle',
    run(m) {
      m.open();
      m.put(puts(m, 'a'));
      m.tick(30);
      m.put(puts(m, 'b'));
      m.tick(30);
      m.tick(30);
      m.put(puts(m, 'a'));
    },
    mustDo: ['write wal', 'sync wal'],
  },
  {
    name: 'extend the lease of numbers',
    options: {
      table: { blockBytes: 512, tableBytesMax: 256, bloomBitsPerKey: 10, restartInterval: 4 },
    },
    run(m) {
      m.open();
      for (let i = 0; i < 4; i++) {
        m.put(puts(m, 'a', `k${i}`));
        m.flush();
      }
    },
    mustDo: ['sync manifest'],
  },
  {
    name: 'stop during a flush',
    run(m) {
      m.open();
      for (let i = 0; m.engine.figures().frozenMemTables === 0; i++) {
        m.put(puts(m, `k${i % 4}`));
        m.engine.maintain();
        m.jobs.runAll('fill-segment');
      }
      m.close();
      m.open();
      m.put(puts(m, 'a'));
      m.rest();
      stopBefore(m, /^sync .*sst/, 1, () => m.flush());
      m.kill();
      m.open();
      m.rest();
    },
    mustDo: ['remove table', 'sync table.tmp'],
  },
  {
    name: 'stop during a merge',
    run(m) {
      m.open();
      m.put(puts(m, 'a', 'b'));
      m.flush();
      m.put(puts(m, 'a'), deletes('b'));
      stopBefore(m, /^remove .*sst/, 1, () => {
        for (let i = 0; i < 4; i++) m.flush();
        m.tick(300);
        m.jobs.runAll('remove');
      });
      m.kill();
      m.open();
      m.rest();
    },
    mustDo: ['remove table'],
  },
  {
    name: 'stop in the middle of an opening',
    run(m) {
      stopBefore(m, /^rename .*CURRENT/, 1, () => m.open());
      m.kill();
      m.open();
      m.put(puts(m, 'a'));
      m.kill();
      stopBefore(m, /^syncDir .*shard/, 1, () => m.open());
      m.losePower(5, 'all');
      m.open();
      m.put(puts(m, 'b'));
    },
    mustDo: ['remove manifest', 'rename current'],
  },
  {
    name: 'replay more than one MemTable',
    options: { walLiveBytesMax: 4 << 20 },
    run(m) {
      m.open();
      for (let i = 0; m.engine.figures().frozenMemTables === 0; i++) {
        m.put(puts(m, `k${i % 4}`, 'a'), [{ key: 'big', value: 'y'.repeat(700) }]);
        m.engine.maintain();
        m.jobs.runAll('fill-segment');
      }
      putEach(m, 'b');
      m.kill();
      m.open();
      m.rest();
    },
    mustDo: ['sync table.tmp'],
  },
  {
    // Half of the segment holds half of the frames: a read that ends there must not lose the rest.
    name: 'replay a segment of many frames',
    options: { walSegmentBytes: 32 * 1024, walLiveBytesMax: 96 * 1024 },
    run(m) {
      m.open();
      for (let i = 0; i < 6; i++) m.put(puts(m, `k${i}`));
      m.kill();
      m.open();
      m.rest();
    },
    mustDo: ['write wal', 'sync wal'],
  },
  {
    name: 'meet a full disk and go on',
    run(m) {
      m.open();
      m.rest();
      m.put(puts(m, 'a'));
      m.disk.quotaBytes = m.disk.usedBytes + 4096;
      for (let i = 0; i < 60 && m.tryWrite(puts(m, `k${i % 5}`)); i++) m.tick(600);
      m.tick(600);
      m.disk.quotaBytes = 2 ** 40;
      m.clock.advance(10_000);
      m.rest();
      m.put(puts(m, 'b'));
      m.flush();
    },
    mustDo: ['remove wal.tmp', 'sync table.tmp'],
  },
  {
    name: 'wait for a slow disk',
    run(m) {
      m.disk.passTime = ({ kind }) => {
        if (kind === 'sync' || kind === 'syncDir') m.clock.advance(5000);
      };
      m.open();
      m.put([{ key: 'a', value: 'expires between write and sync', ttlMs: 3000 }]);
      putEach(m, 'b', 'c');
      m.tick();
      m.flush();
      m.close();
    },
    mustDo: ['sync wal', 'sync table.tmp'],
  },
  {
    name: 'sync at intervals',
    options: { walSync: 'interval' },
    run(m) {
      m.open();
      putEach(m, 'a', 'b');
      m.tick(60);
      m.put(puts(m, 'a'));
      m.tick(60);
      putEach(m, 'c', 'd', 'e');
      m.flush();
      m.put(puts(m, 'a'));
      m.kill();
      m.open();
      m.put(puts(m, 'f'));
      m.close();
    },
    mustDo: ['sync wal', 'sync table.tmp'],
  },
  {
    name: 'leave syncs to the system',
    options: { walSync: 'os' },
    run(m) {
      m.open();
      putEach(m, 'a', 'b', 'c', 'd', 'e');
      m.tick(60);
      m.flush();
      putEach(m, 'a', 'f');
      m.close();
    },
    mustDo: ['sync wal', 'sync table.tmp'],
  },
  ...[1, 2, 3, 4, 5, 6, 7, 8].map(mixed),
];

/** A storm of everything, drawn by a seed. */
function mixed(seed: number): Workload {
  return {
    name: `a mixed storm, ${seed}`,
    options: { walSparesMax: 1 + (seed % 3), mergeFanIn: 2 + (seed % 2) },
    run(m) {
      const random = new SeededRandom(seed);
      m.open();
      for (let step = 0; step < 25; step++) {
        const keys = Array.from({ length: 1 + random.nextInt(3) }, () => `k${random.nextInt(8)}`);
        const batch = random.chance(0.25) ? deletes(...keys) : puts(m, ...keys);
        if (random.chance(0.3)) m.put(batch, puts(m, `n${random.nextInt(4)}`));
        else m.put(batch);
        if (random.chance(0.3)) m.put([{ key: 'pad', value: `${step}${'z'.repeat(600)}` }]);
        if (random.chance(0.7)) m.tick(random.nextInt(30));
        if (step % 10 === 9 && random.chance(0.7)) {
          const end = random.nextInt(3);
          if (end === 0) m.close();
          else if (end === 1) m.kill();
          else m.losePower(seed, random.pick(['subset', 'all', 'prefix']));
          m.open();
        }
      }
      m.rest();
    },
    mustDo: ['write wal'],
  };
}
