import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { addExtension, Packr, Unpackr } from 'msgpackr';
import * as assert from 'uvu/assert';
import {
  checkKey,
  checkValue,
  deleteLength,
  ENTRY_OVERHEAD_BYTES_MAX,
  EXT_EXPIRING_VALUE,
  putLength,
  RUN_FORMAT,
  RunReader,
  TTL_MS_MAX,
  writeDelete,
  writeExpiringPut,
  writePut,
} from '../../src/base/entry-run.js';
import { StormError } from '../../src/base/errors.js';
import { hexBlock } from '../harness/hex-block.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('entry run');
const DOCUMENT = join(resolve(import.meta.dirname, '../../..'), 'docs/formats/entry-run.md');

/** `value` undefined = delete; `ttlMs` 0 = never expires. */
interface Entry {
  key: Uint8Array;
  value: Uint8Array | undefined;
  ttlMs: number;
}

const text = (content: string) => new Uint8Array(Buffer.from(content));
const put = (key: string, value: string): Entry => ({
  key: text(key),
  value: text(value),
  ttlMs: 0,
});

function written(entries: readonly Entry[]): Uint8Array {
  const bytesMax = entries.reduce(
    (sum, { key, value }) => sum + key.length + (value?.length ?? 0) + ENTRY_OVERHEAD_BYTES_MAX,
    1,
  );
  const run = new Uint8Array(bytesMax);
  run[0] = RUN_FORMAT;
  let at = 1;
  for (const { key, value, ttlMs } of entries) {
    if (value === undefined) at = writeDelete(run, at, key);
    else if (ttlMs === 0) at = writePut(run, at, key, value);
    else at = writeExpiringPut(run, at, key, value, ttlMs);
  }
  return run.slice(0, at);
}

/** The run lies between other bytes, and only its own may be looked at. */
function read(run: Uint8Array, behind: Uint8Array = Uint8Array.of(0xc4, 1, 0x61)): Entry[] {
  const start = 7;
  const bytes = new Uint8Array(start + run.length + behind.length).fill(0xc0);
  bytes.set(run, start);
  bytes.set(behind, start + run.length);
  const end = start + run.length;
  const guarded = new Proxy(bytes, {
    get(target, name) {
      const at = typeof name === 'string' ? Number(name) : Number.NaN;
      assert.not(at < start || at >= end, `byte ${at - start} of ${run.length} was read`);
      return Reflect.get(target, name, target) as unknown;
    },
  });
  const reader = new RunReader();
  reader.reset(guarded, start, run.length);
  const entries: Entry[] = [];
  while (reader.next()) {
    const { keyStart, keyLength, valueStart, valueLength, isDelete, ttlMs } = reader;
    assert.ok(reader.entryStart < keyStart && keyStart + keyLength <= reader.entryEnd);
    assert.ok(isDelete || valueStart + valueLength === reader.entryEnd);
    assert.ok(reader.entryEnd <= end);
    entries.push({
      key: bytes.slice(keyStart, keyStart + keyLength),
      value: isDelete ? undefined : bytes.slice(valueStart, valueStart + valueLength),
      ttlMs,
    });
    assert.is(reader.count, entries.length);
  }
  assert.is(reader.next(), false, 'the end stays the end');
  return entries;
}

const arbitraryBytes = fc.uint8Array({ maxLength: 300, size: 'medium' });
const arbitraryTtl = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: TTL_MS_MAX }));
const arbitraryEntry = fc
  .tuple(arbitraryBytes, fc.option(arbitraryBytes, { nil: undefined }), arbitraryTtl)
  .map(([key, value, ttl]): Entry => ({ key, value, ttlMs: value === undefined ? 0 : ttl }));
const arbitraryEntries = fc.array(arbitraryEntry, { maxLength: 12 });

/** What another decoder makes of ext 1. */
class Expiring {
  constructor(
    readonly ttlMs: number,
    readonly value: Uint8Array,
  ) {}
}
addExtension({
  Class: Expiring,
  type: EXT_EXPIRING_VALUE,
  pack({ ttlMs, value }: Expiring) {
    const body = Buffer.alloc(8 + value.length);
    body.writeBigUInt64BE(BigInt(ttlMs));
    body.set(value, 8);
    return body;
  },
  unpack: (body: Buffer) =>
    new Expiring(Number(body.readBigUInt64BE()), new Uint8Array(body.subarray(8))),
});
const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false });

function readByMsgpackr(run: Uint8Array): Entry[] {
  if (run.length === 1) return [];
  const items = unpackr.unpackMultiple(Buffer.from(run.subarray(1))) as unknown[];
  assert.is(items.length % 2, 0, 'a run is pairs');
  const entries: Entry[] = [];
  for (let i = 0; i < items.length; i += 2) {
    const [key, value] = items.slice(i, i + 2);
    assert.instance(key, Uint8Array);
    const bytes = value instanceof Expiring ? value.value : value;
    assert.ok(bytes === null || bytes instanceof Uint8Array);
    entries.push({
      key: new Uint8Array(key as Uint8Array),
      value: bytes === null ? undefined : new Uint8Array(bytes),
      ttlMs: value instanceof Expiring ? value.ttlMs : 0,
    });
  }
  return entries;
}

function refusal(body: () => unknown): StormError {
  try {
    body();
  } catch (error) {
    assert.instance(error, StormError, String(error));
    assert.is((error as StormError).code, 'INVALID_ARGUMENT');
    return error as StormError;
  }
  throw new Error('Expected a refusal');
}

test('is what the worked example in the document says', () => {
  const entries: Entry[] = [
    put('{p1}/q1', 'yes'),
    { key: text('{p1}/q2'), value: undefined, ttlMs: 0 },
    { key: text('s'), value: text('1'), ttlMs: 60_000 },
  ];
  assert.is(Buffer.from(written(entries)).toString('hex'), hexBlock(DOCUMENT, 'example'));
  assert.equal(read(written(entries)), entries);
});

test('gives back what was written, as any msgpack decoder does', () => {
  fc.assert(
    fc.property(arbitraryEntries, (entries) => {
      const run = written(entries);
      assert.equal(read(run), entries);
      assert.equal(readByMsgpackr(run), entries);
    }),
  );
});

test('reads what any msgpack encoder writes, whatever headers it chooses', () => {
  fc.assert(
    fc.property(arbitraryEntries, (entries) => {
      const parts = entries.flatMap(({ key, value, ttlMs }) => [
        packr.pack(Buffer.from(key)),
        value === undefined
          ? packr.pack(null)
          : packr.pack(ttlMs === 0 ? Buffer.from(value) : new Expiring(ttlMs, value)),
      ]);
      assert.equal(read(Buffer.concat([Buffer.of(RUN_FORMAT), ...parts])), entries);
    }),
  );
});

test('writes the shortest headers, of the length foretold, at every border of them', () => {
  for (const length of [0, 1, 0xff, 0x100, 0xffff, 0x10000]) {
    const key = new Uint8Array(length).fill(0x6b);
    const entry = { key, value: new Uint8Array(length).fill(1), ttlMs: 0 };
    const run = written([entry]);
    assert.is(run.length - 1, putLength(length, length));
    assert.ok(Buffer.from(run.subarray(1)).equals(shortest(key, entry.value)), `length ${length}`);
    assert.is(written([{ ...entry, value: undefined }]).length - 1, deleteLength(length));
    const [found] = read(run);
    assert.is(found?.key.length, length);
    assert.is(found?.value?.length, length);
  }
});

function shortest(key: Uint8Array, value: Uint8Array): Buffer {
  return Buffer.concat([packr.pack(Buffer.from(key)), packr.pack(Buffer.from(value))]);
}

test('refuses every cut of a run, except between entries, and looks at no byte behind it', () => {
  fc.assert(
    fc.property(arbitraryEntries, (entries) => {
      const ends = new Set(entries.map((_, i) => written(entries.slice(0, i)).length));
      const run = written(entries);
      const step = Math.max(1, Math.floor(run.length / 50));
      for (let length = 0; length < run.length; length += step) {
        const behind = run.subarray(length);
        const cut = () => read(run.subarray(0, length), behind);
        if (ends.has(length)) assert.ok(cut().length < entries.length);
        else refusal(cut);
      }
    }),
    { numRuns: 50 },
  );
});

test('reads any bytes as msgpackr does, or refuses them', () => {
  const body = fc.array(fc.nat(255), { minLength: 8, maxLength: 8 });
  const part = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom([0xc4, 0], [0xc4, 1, 9], [0xc5, 0, 2, 8, 7], [0xc0]) },
    body.map((ttl) => [0xd7, 1, 0, 0, ...ttl.slice(2)]),
    body.map((ttl) => [0xc7, 9, 1, 0, 0, 0, ...ttl.slice(3), 5]),
    fc.array(fc.nat(255), { maxLength: 12 }),
  );
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const run = Uint8Array.of(RUN_FORMAT, ...parts.flat());
      let entries: Entry[];
      try {
        entries = read(run);
      } catch (error) {
        assert.instance(error, StormError, String(error));
        assert.is((error as StormError).code, 'INVALID_ARGUMENT');
        return;
      }
      if (entries.length > 0) accepted++;
      assert.equal(readByMsgpackr(run), entries);
    }),
    { numRuns: 5000 },
  );
  assert.ok(accepted > 50, `${accepted} runs were sound`);
});

test('refuses every other format number and an empty run', () => {
  for (const format of [1, 2, 0x80, 0xff]) {
    const error = refusal(() => read(Uint8Array.of(format, 0xc4, 0, 0xc0)));
    assert.match(error.message, `found format ${format}`);
  }
  assert.match(refusal(() => read(new Uint8Array(0))).message, 'found nothing');
  assert.equal(read(Uint8Array.of(RUN_FORMAT)), []);
});

test('refuses keys and values of every other msgpack kind', () => {
  const bins = [0xc4, 0xc5, 0xc6];
  const values = [...bins, 0xc0, 0xc7, 0xc8, 0xc9, 0xd7, 0xd8];
  for (let tag = 0; tag < 256; tag++) {
    const rest = new Uint8Array(40);
    const asKey = () => read(Uint8Array.of(RUN_FORMAT, tag, ...rest));
    const asValue = () => read(Uint8Array.of(RUN_FORMAT, 0xc4, 0, tag, ...rest));
    const keyError = refusal(asKey);
    assert.is(/must be msgpack bin$/.test(keyError.message), !bins.includes(tag), `key ${tag}`);
    const valueError = refusal(asValue);
    const isForeign = /must be msgpack bin, nil or ext 1$/.test(valueError.message);
    assert.is(isForeign, !values.includes(tag), `value ${tag}`);
  }
});

test('refuses the ext types that are reserved, and all others', () => {
  const key = [RUN_FORMAT, 0xc4, 1, 0x6b];
  const body = [0, 0, 0, 0, 0, 0, 0, 5];
  for (const type of [0, 2, 3, 4, 127, 128, 255]) {
    const error = refusal(() => read(Uint8Array.of(...key, 0xd7, type, ...body)));
    assert.match(error.message, `ext type ${type} of 8 bytes is not known`);
  }
  assert.is(read(Uint8Array.of(...key, 0xd7, 1, ...body))[0]?.ttlMs, 5);
  const short = refusal(() => read(Uint8Array.of(...key, 0xc7, 7, 1, ...body.slice(1))));
  assert.match(short.message, 'ext type 1 of 7 bytes');
});

test('refuses a time to live of 0 and above a thousand years', () => {
  const run = (ttl: bigint) => {
    const bytes = Buffer.from([RUN_FORMAT, 0xc4, 1, 0x6b, 0xd7, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.writeBigUInt64BE(ttl, 6);
    return new Uint8Array(bytes);
  };
  assert.is(read(run(1n))[0]?.ttlMs, 1);
  assert.is(read(run(BigInt(TTL_MS_MAX)))[0]?.ttlMs, TTL_MS_MAX);
  for (const ttl of [0n, BigInt(TTL_MS_MAX) + 1n, 2n ** 53n, 2n ** 64n - 1n]) {
    assert.match(refusal(() => read(run(ttl))).message, 'a time to live must be 1 to');
  }
});

test('names the entry and the byte where it is malformed', () => {
  const run = written([put('a', '1'), put('b', '2')]);
  run[run.length - 3] = 0x92;
  assert.match(refusal(() => read(run)).message, /entry 1 at byte 17: a value must be/);
});

const LIMITS = { keyBytesMax: 8, valueBytesMax: 4 };
const check = (key: Uint8Array) => checkKey(Uint8Array.of(0xff, ...key), 1, key.length, LIMITS);

test('checkKey takes keys of 1 byte up to the limit, in bytes not characters', () => {
  for (const key of ['a', '12345678', 'éé', '日本', '\0', '{t}']) check(text(key));
  assert.match(refusal(() => check(text(''))).message, 'must not be empty');
  const long = refusal(() => check(text('123456789')));
  assert.match(long.message, 'at most 8 bytes (limits.keyBytesMax): it has 9');
  assert.match(refusal(() => check(text('日本語'))).message, 'it has 9');
});

test('checkKey refuses everything that is not UTF-8, at any place', () => {
  const bad = [
    [0x80],
    [0xc3],
    [0x61, 0xc3, 0x28],
    // Overlong, a surrogate, above the last code point.
    [0xc0, 0xaf],
    [0xe0, 0x80, 0xaf],
    [0xed, 0xa0, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xff],
  ];
  for (const bytes of bad) {
    assert.match(refusal(() => check(Uint8Array.from(bytes))).message, 'valid UTF-8');
  }
  // Bytes around the key make it neither good nor bad.
  const shared = Buffer.from(new SharedArrayBuffer(4));
  shared.set([0xc3, 0xa9, 0xa9, 0xc3]);
  checkKey(shared, 0, 2, LIMITS);
  refusal(() => checkKey(shared, 0, 1, LIMITS));
  refusal(() => checkKey(shared, 2, 2, LIMITS));
});

test('checkValue takes empty values and those up to the limit', () => {
  for (const length of [0, 4]) checkValue(length, LIMITS);
  const error = refusal(() => checkValue(5, LIMITS));
  assert.match(error.message, 'at most 4 bytes (limits.valueBytesMax): it has 5');
});

run();
