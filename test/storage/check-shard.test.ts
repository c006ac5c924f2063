import * as assert from 'uvu/assert';
import type { Finding } from '../../src/storage/check-finding.js';
import { checkShard, type ShardIdentity } from '../../src/storage/check-shard.js';
import { readRoot } from '../../src/storage/root-manifest.js';
import { dataDirOnDisk, filesOf, stateOf } from '../harness/check-rig.js';
import { RIG_DIR } from '../harness/engine-rig.js';
import type { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('checkShard');

const DISK = dataDirOnDisk();
const byText = (a: string, b: string) => (a < b ? -1 : 1);
const IDENTITY: ShardIdentity = { shard: 0, storeUuid: readRoot(DISK, '/data')?.storeUuid ?? '' };

function check(disk: SimulatedDisk, identity = IDENTITY) {
  const findings: Finding[] = [];
  const files: string[] = [];
  const totals = { shards: 0, tables: 0, tableBytes: 0, entries: 0, segments: 0, frames: 0 };
  const found = (finding: Finding) => void findings.push(finding);
  const progress = (file: string) => void files.push(file);
  checkShard(disk, RIG_DIR, identity, { found, progress, totals });
  return { findings, files, damage: findings.filter(({ severity }) => severity === 'damage') };
}

test('says which files it is about to read', () => {
  const { files, findings } = check(DISK);
  assert.equal(findings, []);
  for (const path of [...filesOf(DISK, /^table/), ...filesOf(DISK, /^manifest/)]) {
    assert.ok(files.includes(path), path);
  }
});

test('refuses the files of another shard or store', () => {
  assert.ok(check(DISK, { ...IDENTITY, shard: 1 }).damage.length > 0);
  assert.ok(check(DISK, { ...IDENTITY, storeUuid: '0'.repeat(32) }).damage.length > 0);
});

test('notes what a crash or a stranger left, without calling it damage', () => {
  const disk = DISK.clone();
  const left = ['table-000001.sst.tmp', 'notes.txt', 'DISTRUST', 'manifest-000001.log'];
  for (const name of left) disk.open(`${RIG_DIR}/${name}`, 'create').close();
  const { findings, damage } = check(disk);
  assert.equal(damage, []);
  assert.equal(
    findings.map(({ file }) => file).sort(byText),
    left.map((name) => `${RIG_DIR}/${name}`).sort(byText),
  );
});

test('a segment that is needed and missing is damage, a spare is not', () => {
  const { minSegment } = stateOf(DISK);
  const numberOf = (path: string) => new DataView(DISK.contentOf(path).buffer).getUint32(32, true);
  const paths = filesOf(DISK, /^wal/);
  for (const path of paths) {
    const disk = DISK.clone();
    disk.remove(path);
    assert.is(check(disk).damage.length > 0, numberOf(path) >= minSegment, path);
  }
  assert.ok(Math.max(...paths.map(numberOf)) >= minSegment);
});

test('a log that ends before what an orderly close noted as durable is damage, as when opened', () => {
  const numberOf = (path: string) => new DataView(DISK.contentOf(path).buffer).getUint32(32, true);
  const paths = filesOf(DISK, /^wal/).sort((a, b) => numberOf(a) - numberOf(b));
  const newest = paths.at(-1) ?? '';
  const disk = DISK.clone();
  disk.replaceContent(newest, DISK.contentOf(newest).slice(0, 100));
  assert.match(
    check(disk)
      .damage.map(({ what }) => what)
      .join(),
    'was durable',
  );
});

test('data without CURRENT is damage, though each table is still looked into', () => {
  const disk = DISK.clone();
  disk.remove(`${RIG_DIR}/CURRENT`);
  const [path = ''] = filesOf(disk, /^table/);
  const bytes = disk.contentOf(path);
  bytes[30]! ^= 1;
  disk.replaceContent(path, bytes);
  assert.equal(
    check(disk)
      .damage.map(({ file }) => file)
      .sort(byText),
    [`${RIG_DIR}/CURRENT`, path],
  );
});

run();
