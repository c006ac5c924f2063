import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { type RestorePoint, restoreBackup } from '../../src/offline/restore-backup.js';
import { storedEntries } from '../../src/offline/stored-entries.js';
import { countingDamage, verifyBackup } from '../../src/offline/verify-backup.js';
import { backupShardDir } from '../../src/storage/backup-inventory.js';
import type { FileSystem } from '../../src/storage/file-system.js';
import { BACKUP_DIR, type MadeBackup, makeBackup, TAKEN_MS } from '../harness/backup-cases.js';
import { check } from '../harness/check-rig.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('A backup on disk');

function damageIn({ disk, inventory }: MadeBackup): number {
  const { found, count } = countingDamage(() => {});
  const totals = { shards: 0, tables: 0, tableBytes: 0, entries: 0, segments: 0, frames: 0 };
  verifyBackup(disk, BACKUP_DIR, inventory, { found, progress: () => {}, totals });
  if (count() === 0) assert.ok(totals.tables > 1 && totals.frames > 1 && totals.entries > 1);
  return count();
}

function restore({ disk, inventory }: MadeBackup, point: RestorePoint = {}, to = '/restored') {
  const from = { dir: BACKUP_DIR, inventory };
  return restoreBackup(disk, new SeededRandom(3), from, to, point, () => {});
}

function entriesOf(fs: FileSystem, dir: string): string[] {
  const all = { prefix: new Uint8Array(0), nowMs: 0 };
  return Array.from(storedEntries(fs, dir, all), (e) => {
    const key = Buffer.from(e.keyBytes.subarray(e.keyStart, e.keyStart + e.keyLength));
    const value = Buffer.from(e.valueBytes.subarray(e.valueStart, e.valueStart + e.valueLength));
    return `${String(key)}@${e.sequence}=${String(value)}`;
  });
}

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return error instanceof StormError ? error.code : String(error);
  }
  return 'none';
}

test('what was copied, or linked, verifies and restores to the same content', () => {
  for (const isLink of [false, true]) {
    const made = makeBackup(isLink);
    assert.is(damageIn(made), 0);
    restore(made);
    assert.equal(entriesOf(made.disk, '/restored'), entriesOf(made.disk, '/data'));
    assert.equal(check(made.disk).damage, []);
  }
});

test('a flipped byte anywhere in a file of the backup is found, and never restored', () => {
  const made = makeBackup();
  const { disk } = made;
  const dir = backupShardDir(BACKUP_DIR, 0);
  const random = new SeededRandom(5);
  for (const name of disk.list(dir)) {
    const path = `${dir}/${name}`;
    const bytes = disk.contentOf(path);
    const at = random.nextInt(bytes.length);
    const flip = (): void => {
      const handle = disk.open(path, 'update');
      handle.writeAt(Uint8Array.of((disk.contentOf(path)[at] ?? 0) ^ 4), 0, 1, at);
      handle.close();
    };
    flip();
    assert.ok(damageIn(made) > 0, `${name} at ${at}`);
    assert.is(
      codeOf(() => restore(made, {}, `/r-${name}`)),
      'DATA_CORRUPTION',
      name,
    );
    assert.is(disk.stat(`/r-${name}/ROOT`), undefined, 'a server does not open it');
    flip();
  }
  assert.is(damageIn(made), 0);
});

test('a file that is missing is found', () => {
  const made = makeBackup();
  const dir = backupShardDir(BACKUP_DIR, 0);
  made.disk.remove(`${dir}/${made.disk.list(dir)[0]}`);
  assert.ok(damageIn(made) > 0);
});

test('a restore to a sequence number ends there, and outside of the log it is refused', () => {
  const made = makeBackup();
  const shard = made.inventory.shards[0];
  assert.ok(shard !== undefined);
  const { sequence, state } = shard;
  const wanted = Math.floor((sequence + state.flushedSequence) / 2);
  assert.ok(wanted < sequence && wanted > state.flushedSequence, 'the log covers something');
  const restored = restore(made, { sequences: new Map([[0, wanted]]) });
  assert.is(restored[0]?.sequence, wanted, 'each write of this store is a frame of its own');
  for (const entry of entriesOf(made.disk, '/restored')) {
    assert.ok(Number(/@(\d+)=/.exec(entry)?.[1]) <= wanted, entry);
  }
  for (const outside of [state.flushedSequence - 1, sequence + 1]) {
    const point = { sequences: new Map([[0, outside]]) };
    assert.is(
      codeOf(() => restore(made, point, '/other')),
      'INVALID_ARGUMENT',
    );
  }
  assert.is(
    codeOf(() => restore(made, { sequences: new Map([[7, 1]]) }, '/x')),
    'INVALID_ARGUMENT',
  );
  assert.is(made.disk.stat('/other'), undefined, 'nothing is written before all is judged');
});

test('a restore to a time ends there, and outside of what is covered it is refused', () => {
  const made = makeBackup();
  restore(made, { timeMs: TAKEN_MS });
  assert.equal(entriesOf(made.disk, '/restored'), entriesOf(made.disk, '/data'));
  assert.is(
    codeOf(() => restore(made, { timeMs: TAKEN_MS + 1 }, '/later')),
    'INVALID_ARGUMENT',
  );
  const [none] = restore(made, { timeMs: 0 }, '/first');
  assert.is(none?.sequence, made.inventory.shards[0]?.state.flushedSequence);
});

test('a folder with something in it is never restored into', () => {
  const made = makeBackup();
  assert.is(
    codeOf(() => restore(made, {}, '/data')),
    'FAILED_PRECONDITION',
  );
});

run();
