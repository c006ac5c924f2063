import { Unpackr } from 'msgpackr';
import * as assert from 'uvu/assert';
import { DumpEncoder, noteOf } from '../../src/offline/dump-format.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('DumpEncoder');
const ENTRY = {
  key: Buffer.from('ké'),
  value: Buffer.from([0, 255, 10]),
  version: 2 ** 40,
  expiresAtMs: 1_800_000_000_123,
};

test('writes lines of JSON that say what they are', () => {
  const encoder = new DumpEncoder('ndjson');
  const header = JSON.parse(
    encoder.header({ at: '2026-11-23T00:00:00.000Z', prefix: 'YQ==' }).toString(),
  );
  assert.equal(header, {
    stormkv: 'dump',
    version: 1,
    at: '2026-11-23T00:00:00.000Z',
    prefix: 'YQ==',
  });
  assert.is(
    encoder.entriesOf([ENTRY, { ...ENTRY, expiresAtMs: 0 }]).toString(),
    '{"key":"ké","value":"AP8K","version":1099511627776,"expires_at_ms":1800000000123}\n' +
      '{"key":"ké","value":"AP8K","version":1099511627776}\n',
  );
  const trailer = JSON.parse(encoder.trailer(true).toString());
  assert.equal([trailer.stormkv, trailer.entries, trailer.freshSnapshot], ['end', 2, true]);
});

test('writes msgpack that any decoder reads', () => {
  const encoder = new DumpEncoder('msgpack');
  const bytes = Buffer.concat([
    encoder.header({ at: 'now', prefix: '' }),
    encoder.entriesOf([ENTRY]),
    encoder.trailer(false),
  ]);
  const found: unknown[] = [];
  new Unpackr({ useRecords: false, int64AsType: 'number' }).unpackMultiple(
    bytes,
    (item: unknown) => {
      found.push(item);
    },
  );
  assert.is(found.length, 3);
  assert.is(JSON.parse(String(found[0])).stormkv, 'dump');
  assert.equal(found[1], [ENTRY.key, ENTRY.value, ENTRY.version, ENTRY.expiresAtMs]);
});

test('a dump of another version is refused with both versions named', () => {
  assert.throws(
    () => noteOf({ stormkv: 'dump', version: 2, at: '', prefix: '' }),
    /format version 2, this program reads 1/,
  );
  assert.is(noteOf({ key: 'k', value: '' }), undefined);
});

run();
