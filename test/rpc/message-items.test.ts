import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import * as items from '../../src/rpc/message-items.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('message items');
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom(255, 256, 65_535, 65_536).map((length) => new Uint8Array(length).fill(7)),
);
const version = fc.oneof(
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  fc.constantFrom(2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
);
const slice = (reader: items.ItemReader, start: number, length: number) =>
  new Uint8Array(reader.bytes.slice(start, start + length));

/** What any msgpack decoder finds in the sequence. */
function sequenceOf(content: Uint8Array): unknown[] {
  const found: unknown[] = [];
  if (content.length === 0) return found;
  unpackr.unpackMultiple(Buffer.from(content), (item: unknown) => {
    found.push(item instanceof Uint8Array ? new Uint8Array(item) : item);
  });
  return found;
}

test('keys come back as they were written and read the same with msgpackr', () => {
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 6 }), (keys) => {
      const length = keys.reduce((sum, key) => sum + items.keyItemLength(key.length), 0);
      const target = new Uint8Array(length + 2);
      let at = 1;
      for (const key of keys) at = items.putKeyItem(target, at, key);
      assert.is(at, 1 + length);
      const reader = new items.ItemReader();
      reader.reset(target, 1, length);
      const found: Uint8Array[] = [];
      while (reader.nextKey()) found.push(slice(reader, reader.keyStart, reader.keyLength));
      assert.equal(found, keys);
      assert.equal(sequenceOf(target.subarray(1, at)), keys);
    }),
  );
});

test('values come back as they were written and read the same with msgpackr', () => {
  const value = fc.option(fc.record({ version, bytes }), { nil: undefined });
  fc.assert(
    fc.property(fc.array(value, { maxLength: 6 }), (values) => {
      const lengths = values.map((v) =>
        v === undefined ? items.MISSING_ITEM_BYTES : items.valueItemLength(v.bytes.length),
      );
      const length = lengths.reduce((sum, n) => sum + n, 0);
      const target = new Uint8Array(length);
      let at = 0;
      for (const v of values) {
        if (v === undefined) at = items.putMissingItem(target, at);
        else at = items.putValueItem(target, at, v.version, v.bytes, 0, v.bytes.length);
      }
      assert.is(at, length);
      const reader = new items.ItemReader();
      reader.reset(target, 0, length);
      for (const v of values) {
        assert.ok(reader.nextValue());
        assert.is(reader.hasValue, v !== undefined);
        if (v === undefined) continue;
        assert.is(reader.sequence, v.version);
        assert.equal(slice(reader, reader.valueStart, reader.valueLength), v.bytes);
      }
      assert.not(reader.nextValue());
      assert.equal(
        sequenceOf(target),
        values.flatMap((v) => (v === undefined ? [null] : [v.version, v.bytes])),
      );
    }),
  );
});

test('entries, keys and the mark of a page come back as they were written', () => {
  const value = fc.option(bytes, { nil: undefined });
  const expiresAtMs = fc.oneof(fc.constant(0), version);
  const entry = fc.record({ key: bytes, value, version, expiresAtMs });
  const mark = fc.option(bytes, { nil: undefined });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 6 }), mark, (entries, mark) => {
      const target = new Uint8Array(1_000_000);
      let at = 0;
      let length = 0;
      for (const { key, value, version, expiresAtMs } of entries) {
        const keyLength = key.length;
        if (value === undefined) {
          length += items.pageKeyLength(keyLength);
          at = items.putPageKey(target, at, key, 0, keyLength, version);
        } else {
          length += items.pageItemLength(keyLength, value.length);
          at = items.putPageItem(target, at, key, 0, keyLength, value, 0, value.length, version);
        }
        if (expiresAtMs === 0) continue;
        length += items.PAGE_EXPIRY_BYTES;
        at = items.putPageExpiry(target, at, expiresAtMs);
      }
      if (mark !== undefined) {
        length += items.pageMarkLength(mark.length);
        at = items.putPageMark(target, at, mark, 0, mark.length);
      }
      assert.is(at, length);
      const reader = new items.ItemReader();
      reader.reset(target, 0, length);
      for (const { key, value, version, expiresAtMs } of entries) {
        assert.ok(reader.nextEntry());
        assert.equal(slice(reader, reader.keyStart, reader.keyLength), key);
        assert.equal([reader.isMark, reader.hasValue], [false, value !== undefined]);
        assert.is(reader.sequence, version);
        assert.is(reader.expiresAtMs, expiresAtMs);
        if (value !== undefined) {
          assert.equal(slice(reader, reader.valueStart, reader.valueLength), value);
        }
      }
      if (mark !== undefined) {
        assert.ok(reader.nextEntry() && reader.isMark);
        assert.equal(slice(reader, reader.keyStart, reader.keyLength), mark);
      }
      assert.not(reader.nextEntry());
      const flat = entries.flatMap(({ key, value, version, expiresAtMs }) => {
        const item = [key, value ?? null, version];
        return expiresAtMs === 0 ? item : [...item, expiresAtMs];
      });
      assert.equal(
        sequenceOf(target.subarray(0, at)),
        mark === undefined ? flat : [...flat, mark, false],
      );
    }),
    { numRuns: 40 },
  );
});

test('a mark that is not the last item is malformed', () => {
  const target = new Uint8Array(20);
  const key = Uint8Array.of(1);
  const end = items.putPageMark(target, items.putPageMark(target, 0, key, 0, 1), key, 0, 1);
  const reader = new items.ItemReader();
  reader.reset(target, 0, end);
  assert.throws(() => reader.nextEntry(), /Malformed items/);
});

test('junk is read or is INTERNAL, never reads past its end', () => {
  const junk = fc.array(
    fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0xc4, 0xc5, 0xc6, 0xc0, 0xc2, 0xcf)),
    { maxLength: 30 },
  );
  const steps = [
    (reader: items.ItemReader) => reader.nextKey(),
    (reader: items.ItemReader) => reader.nextValue(),
    (reader: items.ItemReader) => reader.nextEntry(),
  ];
  fc.assert(
    fc.property(junk, fc.nat(2), (content, which) => {
      const reader = new items.ItemReader();
      // Behind the end lie bytes that would do.
      reader.reset(
        Uint8Array.from([...content, ...new Array<number>(20).fill(0)]),
        0,
        content.length,
      );
      try {
        while (steps[which]?.(reader)) {
          assert.ok(reader.keyStart + reader.keyLength <= content.length);
          assert.ok(!reader.hasValue || reader.valueStart + reader.valueLength <= content.length);
        }
      } catch (error) {
        assert.instance(error, StormError, String(error));
        assert.is((error as StormError).code, 'INTERNAL');
      }
    }),
    { numRuns: 2000 },
  );
});

run();
