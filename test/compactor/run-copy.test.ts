/** Copies into a backup where the file system does not link, and where the copying fails. */
import * as assert from 'uvu/assert';
import { runCopy } from '../../src/compactor/run-copy.js';
import type { CopyFile } from '../../src/rpc/jobs.js';
import { backupShardDir, backupTableName } from '../../src/storage/backup-inventory.js';
import { tableFileName } from '../../src/storage/file-names.js';
import type { FileSystem } from '../../src/storage/file-system.js';
import { tablesOf } from '../../src/storage/manifest-state.js';
import { BACKUP_DIR, makeBackup } from '../harness/backup-cases.js';
import type { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';
import { systemError } from '../harness/system-error.js';

const { test, run } = suite('runCopy');
const DATA = backupShardDir('/data', 0);
const TARGET = '/elsewhere';

/** The disk, but what it is told to do otherwise. */
function withFaults(disk: SimulatedDisk, faults: Partial<FileSystem>): FileSystem {
  return new Proxy(disk, {
    get(target, name) {
      const found: unknown = Reflect.get(faults, name) ?? Reflect.get(target, name);
      return typeof found === 'function' ? found.bind(target) : found;
    },
  });
}

const refusesLinks = (code: string): Partial<FileSystem> => ({
  link: (from) => {
    throw systemError(code, 'link', from);
  },
});

/** A data dir on a disk, and what a backup wants of its tables. */
function prepared(): { disk: SimulatedDisk; tables: Extract<CopyFile, { kind: 'table' }>[] } {
  const { disk, inventory } = makeBackup();
  disk.makeDir(TARGET);
  const state = inventory.shards[0]?.state;
  if (state === undefined) throw new Error('There is a shard');
  const tables = tablesOf(state).map((table) => {
    const names = { name: tableFileName(table.number), to: backupTableName(table) };
    const { sizeBytes, crc32 } = table;
    return { kind: 'table' as const, ...names, sizeBytes, crc32, isLink: true };
  });
  assert.ok(tables.length > 0);
  return { disk, tables };
}

function copy(fs: FileSystem, files: CopyFile[]) {
  return runCopy(fs, { kind: 'copy', dir: DATA, backupDir: TARGET, files });
}

function bytesOf(fs: FileSystem, path: string): Buffer {
  const file = fs.open(path, 'read');
  try {
    const bytes = Buffer.alloc(file.sizeBytes());
    file.readAt(bytes, 0, bytes.length, 0);
    return bytes;
  } finally {
    file.close();
  }
}

function flipLastByte(fs: FileSystem, path: string): void {
  const bytes = bytesOf(fs, path);
  const file = fs.open(path, 'update');
  file.writeAt(Buffer.from([(bytes.at(-1) ?? 0) ^ 1]), 0, 1, bytes.length - 1);
  file.close();
}

test('a link is nothing written', () => {
  const { disk, tables } = prepared();
  assert.is(copy(disk, tables).bytesWritten, 0);
  for (const { name, to } of tables) {
    assert.equal(bytesOf(disk, `${TARGET}/${to}`), bytesOf(disk, `${DATA}/${name}`));
  }
});

for (const code of ['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP']) {
  test(`where a link is answered ${code}, the bytes are copied and are files of their own`, () => {
    const { disk, tables } = prepared();
    const fs = withFaults(disk, refusesLinks(code));
    const sum = tables.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0);
    assert.is(copy(fs, tables).bytesWritten, sum);
    assert.is(copy(fs, tables).bytesWritten, 0, 'what is there is not written again');
    const copies = tables.map(({ to }) => to).sort((a, b) => (a < b ? -1 : 1));
    assert.equal(fs.list(TARGET), copies, 'and no temporary file');
    for (const { name, to } of tables) {
      const bytes = bytesOf(disk, `${TARGET}/${to}`);
      assert.equal(bytes, bytesOf(disk, `${DATA}/${name}`));
      flipLastByte(disk, `${DATA}/${name}`);
      assert.equal(bytesOf(disk, `${TARGET}/${to}`), bytes);
    }
  });
}

test('a table that is damaged is not copied, and nothing of it stays', () => {
  const { disk, tables } = prepared();
  const fs = withFaults(disk, refusesLinks('EXDEV'));
  for (const { name } of tables) flipLastByte(disk, `${DATA}/${name}`);
  assert.throws(() => copy(fs, tables), /checksum of the whole file/);
  assert.equal(fs.list(TARGET), []);
});

test('any other failure of a link, and one of the copying, is told and leaves nothing', () => {
  const { disk, tables } = prepared();
  assert.throws(() => copy(withFaults(disk, refusesLinks('EIO')), tables), /EIO/);
  const full = withFaults(disk, {
    ...refusesLinks('EXDEV'),
    open(path, mode) {
      const file = disk.open(path, mode);
      if (mode !== 'create') return file;
      return new Proxy(file, {
        get(target, name) {
          if (name === 'syncData') throw systemError('ENOSPC', 'fdatasync', path);
          const found: unknown = Reflect.get(target, name);
          return typeof found === 'function' ? found.bind(target) : found;
        },
      });
    },
  });
  assert.throws(() => copy(full, tables), /ENOSPC/);
  assert.equal(disk.list(TARGET), []);
  assert.ok(disk.list(backupShardDir(BACKUP_DIR, 0)).length > 0, 'the backup before is as it was');
});

run();
