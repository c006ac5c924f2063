import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import {
  decodeCheckedJson,
  encodeCheckedJson,
  readCheckedJson,
  writeCheckedJson,
} from '../../src/storage/checked-json.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { CRASH_MODES } from '../harness/simulated-file.js';
import { SimulatedCrash } from '../harness/simulated-operations.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('checked JSON');
const DIR = '/d';
const PATH = `${DIR}/CURRENT`;

function newDisk(): SimulatedDisk {
  const disk = new SimulatedDisk();
  disk.makeDir(DIR);
  disk.syncAll();
  return disk;
}

const isDamage = (error: unknown) =>
  error instanceof CorruptionError && error.site.file === PATH && error.site.offset === 0;

test('gives back what was written, and nothing where there is no file', () => {
  const disk = newDisk();
  assert.is(readCheckedJson(disk, DIR, 'CURRENT'), undefined);
  for (const value of [{ a: 1 }, {}, { text: 'two\nlines, ü and \u2028' }]) {
    writeCheckedJson(disk, DIR, 'CURRENT', value);
    assert.equal(readCheckedJson(disk, DIR, 'CURRENT'), value);
    assert.equal(disk.list(DIR), ['CURRENT'], 'no temporary file is left');
  }
});

test('is a line of JSON and a line with its CRC-32', () => {
  const text = Buffer.from(encodeCheckedJson({ manifest: 7 })).toString();
  assert.is(text, '{"manifest":7}\n73bf6182\n');
});

test('finds every flipped bit and every cut, and refuses bytes behind the end', () => {
  const bytes = encodeCheckedJson({ manifest: 7, nonce: 1234, storeUuid: 'ff' });
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = bytes.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(() => decodeCheckedJson(damaged, PATH), isDamage, `bit ${bit}`);
  }
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => decodeCheckedJson(bytes.subarray(0, length), PATH), isDamage);
  }
  const longer = Buffer.concat([bytes, Buffer.from('\n')]);
  assert.throws(() => decodeCheckedJson(longer, PATH), isDamage);
});

test('takes random bytes for damage', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.throws(() => decodeCheckedJson(bytes, PATH), isDamage);
    }),
  );
});

test('refuses what is no object although its checksum fits', () => {
  for (const [text, why] of [
    ['[1]\nf721121f\n', /does not hold an object/],
    ['nil\n94266236\n', /does not hold JSON/],
  ] as const) {
    const decode = () => decodeCheckedJson(Buffer.from(text), PATH);
    assert.throws(decode, isDamage);
    assert.throws(decode, why);
  }
});

test('refuses a file that is far too large before reading it', () => {
  const disk = newDisk();
  disk.open(PATH, 'create').truncate(2 ** 30);
  assert.throws(() => readCheckedJson(disk, DIR, 'CURRENT'), isDamage);
  assert.is(disk.counts.read, 0);
});

test('a crash before any change leaves the old content or the new one', () => {
  const before = { state: 'old', text: 'x'.repeat(700) };
  const after = { state: 'new', text: 'y'.repeat(900) };
  let states = 0;
  for (const mode of CRASH_MODES) {
    for (let change = 1, isDone = false; !isDone; change++) {
      const disk = newDisk();
      writeCheckedJson(disk, DIR, 'CURRENT', before);
      disk.crashBeforeChange(change);
      try {
        writeCheckedJson(disk, DIR, 'CURRENT', after);
        isDone = true;
      } catch (error) {
        if (!(error instanceof SimulatedCrash)) throw error;
      }
      disk.crash(change, mode);
      const found = readCheckedJson(disk, DIR, 'CURRENT');
      assert.ok(found?.['state'] === 'new' || (!isDone && found?.['state'] === 'old'));
      // What a crash leaves behind does not disturb the next writer.
      writeCheckedJson(disk, DIR, 'CURRENT', after);
      assert.equal(readCheckedJson(disk, DIR, 'CURRENT'), after);
      states++;
    }
  }
  assert.ok(states >= 4 * 6, `${states} crashes`);
});

test('a failed call of any kind leaves the old content or the new one, and can be repeated', () => {
  const old = { state: 'old' };
  const kinds = ['open', 'write', 'sync', 'rename', 'syncDir'] as const;
  for (const kind of kinds) {
    const disk = newDisk();
    writeCheckedJson(disk, DIR, 'CURRENT', old);
    disk.fail({ kind, code: 'EIO' });
    assert.throws(() => writeCheckedJson(disk, DIR, 'CURRENT', { state: 'new' }), /EIO/, kind);
    const state = readCheckedJson(disk, DIR, 'CURRENT')?.['state'];
    assert.is(state, kind === 'syncDir' ? state : 'old');
    writeCheckedJson(disk, DIR, 'CURRENT', { state: 'new' });
    disk.crash(1, 'synced-only');
    assert.equal(readCheckedJson(disk, DIR, 'CURRENT'), { state: 'new' });
  }
});

run();
