import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { StormError } from '../../src/base/errors.js';
import { hash32 } from '../../src/base/hash.js';
import { decodeCursor, encodeCursor, type ScanPosition } from '../../src/router/scan-cursor.js';
import { encodeMessage } from '../../src/rpc/message-codec.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('scan cursor');
const KEY_BYTES_MAX = 64;
const key = fc.uint8Array({ maxLength: KEY_BYTES_MAX });
const bound = fc.option(key, { nil: undefined });
const uint = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const position: fc.Arbitrary<ScanPosition> = fc
  .record(
    {
      reverse: fc.boolean(),
      from: bound,
      to: bound,
      lastKey: key,
      lanes: fc.array(fc.tuple(fc.option(uint, { nil: undefined }), fc.nat(7)), { maxLength: 8 }),
      slotMapEpoch: uint,
    },
    { noNullPrototype: true },
  )
  .map(({ lanes, ...rest }) => ({
    ...rest,
    snapshotIds: lanes.map(([id]) => id),
    shards: lanes.map(([, shard]) => shard),
  }));

const copy = (bytes: Uint8Array | undefined) => bytes && new Uint8Array(bytes);

/** A cursor with a right check, of any fields. */
function forged(fields: unknown): string {
  const body = encodeMessage(fields);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(hash32(body, 0, body.length, 0x5c41));
  return Buffer.concat([body, check]).toString('base64url');
}

function refuses(text: string): void {
  assert.throws(
    () => decodeCursor(text, KEY_BYTES_MAX, 8),
    (error: StormError) => error.code === 'INVALID_ARGUMENT' && /cursor/.test(error.message),
    text,
  );
}

test('says what it was made from, in characters that need no escaping', () => {
  fc.assert(
    fc.property(position, (wanted) => {
      const text = encodeCursor(wanted);
      assert.match(text, /^[\w-]+$/);
      const found = decodeCursor(text, KEY_BYTES_MAX, 8);
      const { from, to, lastKey } = found;
      assert.equal({ ...found, from: copy(from), to: copy(to), lastKey: copy(lastKey) }, wanted);
    }),
  );
});

test('a changed, cut or lengthened cursor is refused', () => {
  const text = encodeCursor({
    reverse: false,
    from: Buffer.from('a'),
    to: undefined,
    lastKey: Buffer.from('abc'),
    snapshotIds: [1, undefined],
    shards: [0, 1],
    slotMapEpoch: 1,
  });
  for (let cut = 0; cut < text.length; cut++) refuses(text.slice(0, cut));
  for (let at = 0; at < text.length - 1; at++) {
    refuses(`${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`);
  }
  refuses(`${text}AAAA`);
  refuses('not a cursor!');
  refuses('A'.repeat(100_000));
});

test('fields that are not what they must be are refused', () => {
  const key = Buffer.from('k');
  const sound: unknown[] = [1, false, null, null, key, [1], [0], 1];
  assert.is(decodeCursor(forged(sound), KEY_BYTES_MAX, 8).slotMapEpoch, 1);
  const long = Buffer.alloc(KEY_BYTES_MAX + 1);
  const wrong: [at: number, value: unknown][] = [
    [0, 2],
    [1, 0],
    [2, 'text'],
    [3, long],
    [4, null],
    [4, long],
    [5, [-1]],
    [5, [1, 2]],
    [5, 7],
    [6, [null]],
    [6, 'x'],
    [7, 1.5],
  ];
  for (const [at, value] of wrong) {
    const fields = [...sound];
    fields[at] = value;
    refuses(forged(fields));
  }
  for (const fields of [null, 1, 'x', [], sound.slice(1), [...sound, 1], { a: 1 }]) {
    refuses(forged(fields));
  }
});

run();
