import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { fileNumber } from '../../src/base/ids.js';
import { runFlush } from '../../src/compactor/run-flush.js';
import type { FlushJob, JobOutput } from '../../src/rpc/jobs.js';
import { MemTable } from '../../src/shard/mem-table.js';
import { TableReader } from '../../src/storage/table-reader.js';
import {
  allOf,
  bytesOf,
  del,
  expectedVersion,
  inTableOrder,
  put,
  type TestEntry,
} from '../harness/entries.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';
import { arbitraryEntries, SMALL_TABLES } from '../harness/table-cases.js';

const { test, run } = suite('runFlush');
const DIR = '/data';

function diskWithDir(): SimulatedDisk {
  const disk = new SimulatedDisk();
  disk.makeDir(DIR);
  disk.syncDir('/');
  return disk;
}

function jobOf(entries: readonly TestEntry[], snapshots: number[] = []): FlushJob {
  const table = new MemTable(new SharedArrayBuffer(1 << 18));
  for (const { key, value, sequence, kind, expiresAtMs } of entries) {
    const bytes = bytesOf(key + value);
    const { length } = key;
    table.add(bytes, 0, length, length, value.length, kind, expiresAtMs, sequence);
  }
  const outputs = Array.from({ length: 100 }, (_, i) => fileNumber(i + 1));
  return {
    kind: 'flush',
    dir: DIR,
    arena: table.arena,
    snapshots,
    outputs,
    table: SMALL_TABLES,
  };
}

function contentOf(disk: SimulatedDisk, { tables }: JobOutput): TestEntry[] {
  return tables.flatMap((meta) => {
    const reader = TableReader.open(disk, DIR, meta, { mode: 'pread', verify: 'always' });
    const entries = allOf(reader.cursor());
    reader.close();
    return entries;
  });
}

const writes = arbitraryEntries(0, 60)
  .chain((list) => fc.shuffledSubarray(list, { minLength: list.length }))
  .map((list) => list.map((entry, i) => ({ ...entry, sequence: i + 1 })));

test('writes of each key what the newest reader and each snapshot see', () => {
  const snapshots = fc
    .uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 4 })
    .map((list) => list.sort((a, b) => a - b));
  fc.assert(
    fc.property(writes, snapshots, (entries, open) => {
      const disk = diskWithDir();
      const output = runFlush(disk, jobOf(entries, open));
      const content = contentOf(disk, output);
      assert.equal(content, inTableOrder(content));
      const kept = new Set<TestEntry>();
      for (const { key } of entries) {
        for (const snapshot of [...open, Number.MAX_SAFE_INTEGER]) {
          const wanted = expectedVersion(entries, key, snapshot);
          assert.equal(expectedVersion(content, key, snapshot), wanted);
          if (wanted !== undefined) kept.add(wanted);
        }
      }
      assert.is(content.length, kept.size, 'and nothing else');
      const bytes = output.tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      assert.is(output.bytesWritten, bytes);
      assert.is(output.bytesRead, 0);
    }),
  );
});

test('keeps tombstones and expired entries: older tables may hold what they hide', () => {
  const disk = diskWithDir();
  const entries = [put('a', 1, 'v', 1), del('b', 2)];
  assert.equal(contentOf(disk, runFlush(disk, jobOf(entries))), entries);
});

test('makes its tables durable, names included', () => {
  const disk = diskWithDir();
  const entries = Array.from({ length: 40 }, (_, i) =>
    put(`key-${1000 + i}`, i + 1, 'v'.repeat(60)),
  );
  const output = runFlush(disk, jobOf(entries));
  assert.ok(output.tables.length > 1, 'more than one table');
  disk.crash(1, 'synced-only');
  assert.equal(contentOf(disk, output), entries);
});

test('leaves no file behind when the disk is full', () => {
  const entries = Array.from({ length: 40 }, (_, i) =>
    put(`key-${1000 + i}`, i + 1, 'v'.repeat(60)),
  );
  for (let nth = 1; nth <= 3; nth++) {
    for (const kind of ['write', 'sync', 'open'] as const) {
      const disk = diskWithDir();
      disk.fail({ kind, code: 'ENOSPC', nth });
      assert.throws(() => runFlush(disk, jobOf(entries)), /ENOSPC/, `${kind} ${nth}`);
      assert.equal(disk.list(DIR), [], `${kind} ${nth}`);
    }
  }
});

test('of an empty arena makes no table', () => {
  const disk = diskWithDir();
  const output = runFlush(disk, jobOf([]));
  assert.equal(output, { tables: [], bytesRead: 0, bytesWritten: 0 });
  assert.equal(disk.list(DIR), []);
});

run();
