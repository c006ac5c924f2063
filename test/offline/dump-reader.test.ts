import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { DumpEncoder, type DumpEntry, type DumpFormat } from '../../src/offline/dump-format.js';
import { type DumpRecord, readDump } from '../../src/offline/dump-reader.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('readDump');
const FORMATS: DumpFormat[] = ['ndjson', 'msgpack'];

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function recordsOf(bytes: Buffer, size = 7): Promise<DumpRecord[]> {
  const records: DumpRecord[] = [];
  for await (const record of readDump(inPieces(bytes, size))) records.push(record);
  return records;
}

function dumpOf(format: DumpFormat, entries: DumpEntry[]): Buffer {
  const encoder = new DumpEncoder(format);
  const head = encoder.header({ at: 'now', prefix: '' });
  return Buffer.concat([head, encoder.entriesOf(entries), encoder.trailer(false)]);
}

const entry = fc.record({
  key: fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }).map((text) => Buffer.from(text)),
  value: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  version: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  expiresAtMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 45 })),
});

test('any entries come back as they were, in pieces of any size', () =>
  fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...FORMATS),
      fc.array(entry, { maxLength: 8 }),
      fc.integer({ min: 1, max: 4000 }),
      async (format, entries, size) => {
        const records = await recordsOf(dumpOf(format, entries), size);
        const last = records.at(-1);
        assert.ok(last?.kind === 'trailer' && last.intact);
        assert.equal(
          records.map(({ line }) => line),
          Array.from({ length: entries.length + 2 }, (_, i) => i + 1),
        );
        const found = records.slice(1, -1).map((record) => {
          if (record.kind !== 'entry') throw new Error(JSON.stringify(record));
          return [record.key.toString(), record.value?.toString('hex'), record.expiresAtMs];
        });
        assert.equal(
          found,
          entries.map((e) => [e.key.toString(), e.value.toString('hex'), e.expiresAtMs]),
        );
      },
    ),
    { numRuns: 150 },
  ));

const THREE = ['a', 'b', 'c'].map((key) => {
  return { key: Buffer.from(key), value: Buffer.from(`of ${key}`), version: 1, expiresAtMs: 0 };
});

test('a dump that is cut short anywhere has no intact trailer', async () => {
  for (const format of FORMATS) {
    const whole = dumpOf(format, THREE);
    // Without its last line end the trailer of a text is still whole.
    for (let end = 0; end < whole.length - 1; end++) {
      const records = await recordsOf(whole.subarray(0, end), 50);
      assert.not.ok(
        records.some((record) => record.kind === 'trailer' && record.intact),
        `${format} of ${end} bytes`,
      );
    }
  }
});

test('a flipped bit of an entry or a lost entry is noticed', async () => {
  for (const format of FORMATS) {
    const whole = dumpOf(format, THREE);
    const value = format === 'ndjson' ? Buffer.from('of b').toString('base64') : 'of b';
    const changed = Buffer.from(whole);
    changed[whole.indexOf(value)]! ^= 1;
    const last = (await recordsOf(changed)).at(-1);
    assert.ok(last?.kind === 'trailer' && !last.intact, format);
  }
  const lines = dumpOf('ndjson', THREE).toString().split('\n');
  lines.splice(2, 1);
  const last = (await recordsOf(Buffer.from(lines.join('\n')))).at(-1);
  assert.ok(last?.kind === 'trailer' && !last.intact);
});

test('wrong lines are told with their number, and what follows is read', async () => {
  const text =
    '{"key":"a","value":""}\nnonsense\n\n{"key":"b","value":"*"}\n{"key":"c","value":""}';
  const kinds = (await recordsOf(Buffer.from(text))).map(({ line, kind }) => `${line} ${kind}`);
  assert.equal(kinds, ['1 entry', '2 wrong', '3 blank', '4 wrong', '5 entry']);
  const expiry = '{"key":"a","value":"","expires_at_ms":-1}';
  const [record] = await recordsOf(Buffer.from(expiry));
  assert.ok(record?.kind === 'wrong' && /expires_at_ms/.test(record.why));
});

test('msgpack that cannot be followed is DATA_CORRUPTION', async () => {
  const whole = dumpOf('msgpack', THREE);
  const at = whole.indexOf('of b') + 4;
  const changed = Buffer.from(whole);
  changed[at] = 0xc0;
  try {
    await recordsOf(changed);
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), 'The dump is damaged');
  }
});

test('any bytes are read, or refused with a StormError', () =>
  fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), fc.boolean(), async (bytes, packed) => {
      const junk = Buffer.from(packed ? [0x94, ...bytes] : bytes);
      try {
        await recordsOf(junk, 9);
      } catch (error) {
        assert.is((error as Error).name, 'StormError', String(error));
      }
    }),
    { numRuns: 500 },
  ));

run();
