import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { fileNumber } from '../../src/base/ids.js';
import { runJob } from '../../src/compactor/run-job.js';
import work from '../../src/compactor/worker.js';
import type { Job, JobResult, MergeJob } from '../../src/rpc/jobs.js';
import type { FileSystem } from '../../src/storage/file-system.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { put } from '../harness/entries.js';
import { suite } from '../harness/suite.js';
import { SMALL_TABLES, writeTable } from '../harness/table-cases.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('runJob');

const MIB = 1024 * 1024;

function fill(dir: string, sizeBytes: number): Job {
  return { kind: 'fill-segment', dir, name: 'wal-000001.seg', sizeBytes };
}

function mergeOf(dir: string): MergeJob {
  const meta = writeTable(nodeFileSystem, dir, 1, [put('a', 1, 'x'), put('b', 2, 'y')]);
  return {
    kind: 'merge',
    dir,
    runs: [[meta]],
    older: [],
    snapshots: [],
    nowMs: 1,
    outputs: [fileNumber(2)],
    table: SMALL_TABLES,
  };
}

function failed(result: JobResult) {
  if (result.ok) throw new Error('the job succeeded');
  return result;
}

test('fills a segment with zeros and gives it its name when it is on disk', () =>
  withTempDir((dir) => {
    for (const sizeBytes of [0, 1, MIB, 2 * MIB + 17]) {
      const result = runJob(nodeFileSystem, fill(dir, sizeBytes));
      const output = { tables: [], bytesRead: 0, bytesWritten: sizeBytes };
      assert.equal(result, { ok: true, output });
      assert.equal(nodeFileSystem.list(dir), ['wal-000001.seg']);
      const file = readFileSync(`${dir}/wal-000001.seg`);
      assert.is(file.length, sizeBytes);
      assert.ok(file.every((byte) => byte === 0));
      nodeFileSystem.remove(`${dir}/wal-000001.seg`);
    }
  }));

test('never fills over a file that exists, but replaces a left-over temporary', () =>
  withTempDir((dir) => {
    writeFileSync(`${dir}/wal-000001.seg`, 'live');
    writeFileSync(`${dir}/wal-000001.seg.tmp`, 'left over');
    assert.is(failed(runJob(nodeFileSystem, fill(dir, 100))).code, 'FAILED_PRECONDITION');
    assert.is(readFileSync(`${dir}/wal-000001.seg`, 'utf8'), 'live');
    nodeFileSystem.remove(`${dir}/wal-000001.seg`);
    assert.ok(runJob(nodeFileSystem, fill(dir, 100)).ok);
    assert.equal(nodeFileSystem.list(dir), ['wal-000001.seg']);
  }));

test('removes a segment that could not be filled and names the error of the system', () =>
  withTempDir((dir) => {
    const full: FileSystem = {
      ...nodeFileSystem,
      rename() {
        throw Object.assign(new Error('no space left'), { code: 'ENOSPC', path: `${dir}/x` });
      },
    };
    const result = failed(runJob(full, fill(dir, 100)));
    assert.equal(result, {
      ok: false,
      code: 'ENOSPC',
      message: 'no space left',
      file: `${dir}/x`,
    });
    assert.equal(nodeFileSystem.list(dir), []);
    assert.is(failed(runJob(nodeFileSystem, fill(`${dir}/none`, 1))).code, 'ENOENT');
  }));

test('touches an arena without changing more than one byte of each page', () => {
  const arena = new SharedArrayBuffer(3 * 4096 + 5);
  new Uint8Array(arena).fill(7);
  assert.ok(runJob(nodeFileSystem, { kind: 'touch-arena', arena }).ok);
  const changed = [...new Uint8Array(arena).entries()].filter(([, byte]) => byte !== 7);
  assert.equal(
    changed,
    [0, 1, 2, 3].map((page) => [page * 4096, 0]),
  );
});

test('merges, also as the task of the pool', () =>
  withTempDir((dir) => {
    const result = work(mergeOf(dir));
    assert.ok(result.ok);
    assert.equal(nodeFileSystem.list(dir), ['table-000001.sst', 'table-000002.sst']);
  }));

test('answers damage with file and offset instead of throwing', () =>
  withTempDir((dir) => {
    const job = mergeOf(dir);
    const path = `${dir}/table-000001.sst`;
    truncateSync(path, 50);
    const result = failed(runJob(nodeFileSystem, job));
    assert.is(result.code, 'DATA_CORRUPTION');
    assert.is(result.file, path);
    assert.is(result.offset, 50);
    assert.match(result.message, /50 bytes/);
    assert.equal(nodeFileSystem.list(dir), ['table-000001.sst']);
  }));

test('answers an unknown job with an error', () => {
  const strange = { kind: 'dance' } as unknown as Job;
  assert.is(failed(runJob(nodeFileSystem, strange)).code, 'INTERNAL');
});

run();
