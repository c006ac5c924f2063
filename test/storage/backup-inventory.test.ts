import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import {
  backupLogName,
  inventoryName,
  listBackups,
  readInventory,
  writeInventory,
} from '../../src/storage/backup-inventory.js';
import { readCheckedJson, writeCheckedJson } from '../../src/storage/checked-json.js';
import { BACKUP_DIR, makeBackup } from '../harness/backup-cases.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Inventory of a backup');
const MADE = makeBackup();

function codeOf(fields: object): string {
  writeCheckedJson(MADE.disk, BACKUP_DIR, inventoryName(9), { ...fields, id: 9 });
  try {
    readInventory(MADE.disk, BACKUP_DIR, 9);
    return 'none';
  } catch (error) {
    return error instanceof StormError ? error.code : String(error);
  } finally {
    MADE.disk.remove(`${BACKUP_DIR}/${inventoryName(9)}`);
  }
}

test('reads back what was written, and lists by number', () => {
  const { disk, inventory } = MADE;
  assert.equal(readInventory(disk, BACKUP_DIR, 1), inventory);
  writeInventory(disk, BACKUP_DIR, { ...inventory, id: 10 });
  assert.equal(listBackups(disk, BACKUP_DIR), [1, 10]);
  disk.remove(`${BACKUP_DIR}/${inventoryName(10)}`);
  assert.equal(listBackups(disk, '/nowhere'), []);
});

test('refuses what is damaged, newer, or not of this name', () => {
  const whole = readCheckedJson(MADE.disk, BACKUP_DIR, inventoryName(1)) ?? {};
  assert.is(codeOf(whole), 'none');
  assert.is(codeOf({ ...whole, version: 1 }), 'FAILED_PRECONDITION');
  assert.is(codeOf({ ...whole, what: 'stormkv root' }), 'DATA_CORRUPTION');
  assert.is(codeOf({ ...whole, shards: [] }), 'DATA_CORRUPTION');
  assert.is(codeOf({ ...whole, shards: [{ shard: 0 }] }), 'DATA_CORRUPTION');
  assert.is(codeOf({ ...whole, createdMs: -1 }), 'DATA_CORRUPTION');
  assert.throws(() => readInventory(MADE.disk, BACKUP_DIR, 2), /stormkv backup list/);
});

test('names of segments say which life of the file they are, and how much of it', () => {
  const name = backupLogName({ number: 7, nonce: 0x66, endOffset: 12_288 });
  assert.is(name, 'log-000007-000000000066-12288.wal');
});

run();
