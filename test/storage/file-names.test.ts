import * as assert from 'uvu/assert';
import { fileNumber, shardId } from '../../src/base/ids.js';
import {
  CURRENT_FILE,
  manifestFileName,
  parseFileName,
  ROOT_FILE,
  shardDirName,
  tableFileName,
  temporaryName,
  walFileName,
} from '../../src/storage/file-names.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('file names');

test('builds names with at least six digits and three for shards', () => {
  assert.is(tableFileName(fileNumber(123)), 'table-000123.sst');
  assert.is(manifestFileName(fileNumber(1)), 'manifest-000001.log');
  assert.is(walFileName(1), 'wal-000001.seg');
  assert.is(tableFileName(fileNumber(12_345_678)), 'table-12345678.sst');
  assert.is(temporaryName('a'), 'a.tmp');
  assert.is(shardDirName(shardId(0)), 'shard-000');
  assert.is(shardDirName(shardId(1234)), 'shard-1234');
});

test('parses what it builds, also beyond six digits', () => {
  for (const n of [0, 9, 10, 100, 999_999, 1_000_000, 2 ** 53 - 1]) {
    const number = fileNumber(n);
    assert.equal(parseFileName(tableFileName(number)), { kind: 'table', number });
    assert.equal(parseFileName(manifestFileName(number)), { kind: 'manifest', number });
    assert.equal(parseFileName(walFileName(n)), { kind: 'wal', number: n });
    assert.equal(parseFileName(temporaryName(tableFileName(number))), { kind: 'temporary' });
  }
  assert.equal(parseFileName(CURRENT_FILE), { kind: 'current' });
  assert.equal(parseFileName(temporaryName(CURRENT_FILE)), { kind: 'temporary' });
});

test('takes only the exact spelling for a file of ours', () => {
  const strangers = [
    '',
    ROOT_FILE,
    'current',
    'table-1.sst',
    'table-0000001.sst',
    'table-000001.SST',
    'xtable-000001.sst',
    'table-000001.sst~',
    'table-000001.sst\n',
    'table--00001.sst',
    'table-99999999999999999999.sst',
    'wal-000001.log',
    '.tmp.sst',
  ];
  for (const name of strangers) assert.equal(parseFileName(name), { kind: 'unknown' }, name);
});

run();
