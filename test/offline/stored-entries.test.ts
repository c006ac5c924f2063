import * as assert from 'uvu/assert';
import { rootOf, storedEntries } from '../../src/offline/stored-entries.js';
import { dataDirOnDisk, filesOf } from '../harness/check-rig.js';
import { EngineRig, smallOptions } from '../harness/engine-rig.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('storedEntries');

function keysOf(disk: SimulatedDisk, prefix = ''): Map<string, number> {
  const found = new Map<string, number>();
  const what = { prefix: Buffer.from(prefix), nowMs: 1 };
  for (const { keyBytes, keyStart, keyLength, sequence } of storedEntries(disk, '/data', what)) {
    found.set(Buffer.from(keyBytes.subarray(keyStart, keyStart + keyLength)).toString(), sequence);
  }
  return found;
}

test('shows what a start would serve, from tables and log, and writes nothing', () => {
  const disk = dataDirOnDisk();
  const before = disk.list('/data/shard-000');
  const found = keysOf(disk);
  const late = keysOf(disk, 'late');
  assert.is(late.size, 12);
  assert.equal(disk.list('/data/shard-000'), before);
  const options = smallOptions({ storeUuid: rootOf(disk, '/data').storeUuid });
  const rig = new EngineRig(disk, 9, options);
  for (let i = 0; i < 200; i++) {
    const key = `k${i}`;
    assert.is(rig.get(key) !== undefined, found.has(key), key);
  }
  assert.ok(found.size > 100);
});

test('damage is refused', () => {
  const disk = dataDirOnDisk();
  const [table] = filesOf(disk, /^table/);
  const handle = disk.open(table ?? '', 'update');
  handle.writeAt(Uint8Array.of(1, 2, 3), 0, 3, 20);
  handle.close();
  assert.throws(() => keysOf(disk), /\(file .*table/);
  const current = dataDirOnDisk();
  current.remove('/data/shard-000/CURRENT');
  assert.throws(() => keysOf(current), /no CURRENT file/);
  assert.throws(() => rootOf(new SimulatedDisk(), '/nowhere'), /no data dir/);
});

run();
