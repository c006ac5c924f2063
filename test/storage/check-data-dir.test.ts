import * as assert from 'uvu/assert';
import { surveySegment } from '../../src/storage/check-wal.js';
import { check, dataDirOnDisk, filesOf, stateOf, withFlippedBit } from '../harness/check-rig.js';
import { RIG_DIR } from '../harness/engine-rig.js';
import type { SimulatedDisk } from '../harness/simulated-disk.js';
import type { Operation } from '../harness/simulated-operations.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('checkDataDir');

const DISK = dataDirOnDisk();

/** A fault in the file must be found, and be found there. */
function mustFind(disk: SimulatedDisk, path: string, offset: number, asDamage = true): void {
  withFlippedBit(disk, path, offset, offset % 8, () => {
    const { findings, damage } = check(disk);
    const where = `${path} at ${offset}`;
    const found = asDamage ? damage : findings;
    assert.ok(found.length > 0, `nothing found: ${where}`);
    assert.ok(
      found.some((finding) => finding.file === path || path.endsWith('CURRENT')),
      `${where}: ${JSON.stringify(found)}`,
    );
    for (const finding of findings) assert.ok(finding.offset >= 0 && finding.what.length > 10);
  });
}

test('finds nothing in a sound data dir, has looked at all of it and has written nothing', () => {
  const operations: Operation[] = [];
  DISK.trace = operations;
  const { findings, totals } = check(DISK);
  DISK.trace = undefined;
  assert.equal(findings, []);
  const kinds = new Set(operations.map(({ kind }) => kind));
  assert.equal(kinds, new Set(['stat', 'open', 'size', 'read', 'list']));
  const tables = stateOf(DISK).runs.flatMap((run) => run.tables);
  assert.ok(tables.length >= 2, `${tables.length} tables`);
  assert.is(totals.tables, tables.length);
  assert.is(
    totals.entries,
    tables.reduce((sum, { entryCount }) => sum + entryCount, 0),
  );
  assert.ok(totals.segments >= 1 && totals.frames >= 12, JSON.stringify(totals));
});

test('finds a flipped bit anywhere in ROOT and CURRENT', () => {
  for (const path of ['/data/ROOT', `${RIG_DIR}/CURRENT`]) {
    const { length } = DISK.contentOf(path);
    for (let offset = 0; offset < length; offset++) mustFind(DISK, path, offset);
  }
});

test('finds a flipped bit anywhere in a manifest, padding included', () => {
  const [path = ''] = filesOf(DISK, /^manifest/);
  const { length } = DISK.contentOf(path);
  for (let offset = 0; offset < length; offset += offset < 64 ? 1 : 61)
    mustFind(DISK, path, offset);
});

test('finds a flipped bit anywhere in a table', () => {
  const paths = filesOf(DISK, /^table/);
  const [path = ''] = paths;
  const { length } = DISK.contentOf(path);
  // The sections behind the blocks lie at the end: closer there.
  const step = Math.ceil(length / 120);
  for (let offset = 0; offset < length - 400; offset += step) mustFind(DISK, path, offset);
  for (let offset = length - 400; offset < length; offset += 3) mustFind(DISK, path, offset);
});

test('finds a flipped bit in every part of the WAL, as damage where that is proved', () => {
  const { minSegment } = stateOf(DISK);
  let parts = 0;
  for (const path of filesOf(DISK, /^wal/)) {
    let number = 0;
    const frames: { offset: number; payloadLength: number; synced: number }[] = [];
    let end = 0;
    surveySegment(
      DISK,
      path,
      {
        header: (header) => (number = header.number),
        frame: ({ offset, payloadLength, syncedOffset }) =>
          frames.push({ offset, payloadLength, synced: syncedOffset }),
        end: (offset) => (end = offset),
      },
      () => {},
    );
    if (number < minSegment) continue;
    for (let at = 0; at < 512; at += 17) mustFind(DISK, path, at);
    for (let at = 512; at < 4096; at += 499) mustFind(DISK, path, at);
    const synced = Math.max(...frames.map((frame) => frame.synced));
    frames.forEach(({ offset, payloadLength }, i) => {
      parts++;
      const next = frames[i + 1]?.offset ?? end;
      const isProved = next <= synced;
      const payloadEnd = offset + 64 + payloadLength;
      for (let at = offset; at < offset + 64; at += 5) mustFind(DISK, path, at, isProved);
      for (let at = offset + 64; at < payloadEnd; at += 53) mustFind(DISK, path, at, isProved);
      for (let at = payloadEnd; at < next; at += 1900) mustFind(DISK, path, at, isProved);
    });
  }
  assert.ok(parts > 10, `${parts} frames`);
});

test('names tables that are missing, foreign, cut or left over, and goes on', () => {
  const disk = DISK.clone();
  const paths = filesOf(disk, /^table/);
  const [first = '', second = ''] = paths;
  const content = disk.contentOf(first);
  disk.replaceContent(first, content.slice(0, content.length - 100));
  disk.rename(second, `${RIG_DIR}/table-000001.sst`);
  const extra = disk.open(`${RIG_DIR}/table-900000.sst`, 'create');
  extra.writeAt(content, 0, content.length, 0);
  extra.close();
  const { findings } = check(disk);
  const about = (path: string) => findings.filter(({ file }) => file === path);
  assert.match(about(first)[0]?.what ?? '', 'bytes and should have');
  assert.match(about(second)[0]?.what ?? '', 'missing');
  assert.is(about(`${RIG_DIR}/table-000001.sst`)[0]?.severity, 'notice');
  assert.is(about(`${RIG_DIR}/table-900000.sst`)[0]?.severity, 'damage');
});

test('lists every damage, also where the manifest is lost', () => {
  const disk = DISK.clone();
  for (const path of filesOf(disk, /^table/)) {
    const bytes = disk.contentOf(path);
    bytes[20]! ^= 4;
    disk.replaceContent(path, bytes);
  }
  const [manifest = ''] = filesOf(disk, /^manifest/);
  const tables = filesOf(disk, /^table/).length;
  assert.ok(check(disk).damage.length >= tables);
  disk.remove(manifest);
  const { damage } = check(disk);
  assert.ok(damage.some(({ file }) => file === manifest));
  assert.ok(damage.length > tables);
});

test('a data dir without ROOT, with a shard too many or too few is damaged', () => {
  const without = DISK.clone();
  without.remove('/data/ROOT');
  assert.equal(
    check(without).damage.map(({ file }) => file),
    ['/data/ROOT'],
  );
  const more = DISK.clone();
  more.makeDir('/data/shard-001');
  assert.equal(
    check(more).findings.map(({ severity }) => severity),
    ['notice'],
    'an empty folder may stem from a creation that a crash cut short',
  );
  const handle = more.open('/data/shard-001/table-000001.sst', 'create');
  handle.close();
  assert.is(check(more).damage.length, 1);
  const fewer = DISK.clone();
  for (const name of fewer.list(RIG_DIR)) fewer.remove(`${RIG_DIR}/${name}`);
  assert.equal(
    check(fewer).findings.map(({ severity, file }) => [severity, file]),
    [['notice', RIG_DIR]],
    'an empty shard is a new one, for all that can be told',
  );
});

run();
