import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { CorruptionError, StormError } from '../../src/base/errors.js';
import { fileNumber } from '../../src/base/ids.js';
import { FRAME_HEADER_BYTES, frameBytes, peekFrame } from '../../src/storage/log-frame.js';
import { decodeEdit, encodeEdit, type ManifestEdit } from '../../src/storage/manifest-format.js';
import { ManifestLog } from '../../src/storage/manifest-log.js';
import { EMPTY_STATE } from '../../src/storage/manifest-state.js';
import { hexBlock } from '../harness/hex-block.js';
import {
  MANIFEST_DIR,
  MANIFEST_IDENTITY,
  manifestDisk,
  placed,
} from '../harness/manifest-cases.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('manifest edit');
const DOCUMENT = join(resolve(import.meta.dirname, '../../..'), 'docs/formats/manifest.md');

const decode = (text: string): ManifestEdit => decodeEdit(Buffer.from(text), 'm', 4096);
const encoded = (edit: ManifestEdit): string => Buffer.from(encodeEdit(edit)).toString();
const isDamage = (error: unknown): boolean =>
  error instanceof CorruptionError && error.site.file === 'm' && error.site.offset === 4096;

/** The code block without hex that follows a comment in the document. */
function textBlock(name: string): string {
  const page = readFileSync(DOCUMENT, 'utf8');
  const found = new RegExp(`<!-- golden: ${name} -->\n\`\`\`\n([^\`]*)\`\`\``).exec(page)?.[1];
  if (found === undefined) throw new Error(`${DOCUMENT} has no block named ${name}`);
  return found;
}

test('is what the worked example in the document says', () => {
  const disk = manifestDisk();
  // The frame stores the nonce little-endian.
  const random = {
    fill: (target: Uint8Array) => {
      target.set(Buffer.from('112233445566', 'hex'));
      return target;
    },
  };
  const log = ManifestLog.start(disk, MANIFEST_DIR, random, MANIFEST_IDENTITY, EMPTY_STATE);
  log.commit({
    flushedSequence: 302,
    minSegment: 2,
    add: [placed(5, 4, '{p1}/q1', '{p2}/q1', { minSequence: 7, maxSequence: 302 })],
    runs: [4],
  });
  const text = (name: string): string =>
    Buffer.from(disk.contentOf(`${MANIFEST_DIR}/${name}`)).toString();
  assert.is(text('CURRENT'), textBlock('CURRENT'));

  const bytes = disk.contentOf(`${MANIFEST_DIR}/manifest-000001.log`);
  const first = peekFrame(bytes, 0);
  assert.ok(first !== undefined);
  const firstEnd = FRAME_HEADER_BYTES + first.payloadLength;
  const header = Buffer.from(bytes.subarray(0, FRAME_HEADER_BYTES)).toString('hex');
  assert.is(header, hexBlock(DOCUMENT, 'first frame'));
  const payload = Buffer.from(bytes.subarray(FRAME_HEADER_BYTES, firstEnd)).toString();
  assert.is(`${payload}\n`, textBlock('first edit'));

  const at = frameBytes(first.payloadLength);
  const second = peekFrame(bytes, at);
  assert.is(second?.chain, first.crc);
  const start = at + FRAME_HEADER_BYTES;
  const edit = Buffer.from(bytes.subarray(start, start + (second?.payloadLength ?? 0)));
  assert.is(`${edit}\n`, textBlock('a flush'));
  assert.is(bytes.length, at + frameBytes(edit.length));
});

const PLAIN = { noNullPrototype: true };
const counter = fc.maxSafeNat();
const key = fc.uint8Array({ maxLength: 40 });
const table = fc.record(
  {
    number: counter.map(fileNumber),
    run: counter,
    sizeBytes: counter,
    crc32: fc.nat(0xffff_ffff),
    entryCount: counter,
    tombstoneCount: counter,
    minKey: key,
    maxKey: key,
    minSequence: counter,
    maxSequence: counter,
    minExpiresAtMs: counter,
    maxExpiresAtMs: counter,
    immortalCount: counter,
  },
  PLAIN,
);
const anyEdit: fc.Arbitrary<ManifestEdit> = fc.record(
  {
    snapshot: fc.record(
      {
        version: fc.constant(0),
        shard: counter,
        storeUuid: fc.string(),
        ownerEpoch: counter,
      },
      PLAIN,
    ),
    nextNumber: counter,
    flushedSequence: counter,
    durableSequence: counter,
    minSegment: counter,
    add: fc.array(table, { maxLength: 4 }),
    remove: fc.array(counter),
    runs: fc.array(counter),
  },
  { requiredKeys: [], noNullPrototype: true },
);

test('gives back what was encoded', () => {
  fc.assert(
    fc.property(anyEdit, (edit) => {
      assert.equal(decodeEdit(encodeEdit(edit), 'm', 0), edit);
    }),
  );
});

test('is a line of text that a person can read', () => {
  const edit = { add: [placed(5, 4, 'a', 'b')], runs: [4] };
  assert.match(encoded(edit), /^\{[ -~]*\}$/);
  assert.match(encoded(edit), '"minKey":"YQ=="');
});

test('refuses what is no edit, with file and offset', () => {
  for (const text of ['', '{', 'null', '[]', '7', '"x"', '{"nextNumber":1}x', '\u0000']) {
    assert.throws(() => decode(text), isDamage, text);
  }
});

test('refuses a field that it does not know', () => {
  for (const name of ['later', '__proto__', 'constructor', 'NextNumber']) {
    assert.throws(() => decode(`{"${name}":1}`), isDamage);
    assert.throws(() => decode(`{"${name}":1}`), new RegExp(`unknown field ${name}`));
  }
});

const WRONG_NUMBERS = ['-1', '1.5', '"1"', 'null', 'true', '[1]', '9007199254740992', '1e400'];

test('refuses a number that is none, in every place', () => {
  for (const wrong of WRONG_NUMBERS) {
    for (const name of ['nextNumber', 'flushedSequence', 'durableSequence', 'minSegment']) {
      assert.throws(() => decode(`{"${name}":${wrong}}`), isDamage, `${name} ${wrong}`);
    }
    for (const name of ['remove', 'runs']) {
      assert.throws(() => decode(`{"${name}":[1,${wrong}]}`), isDamage, `${name} ${wrong}`);
      assert.throws(() => decode(`{"${name}":${wrong.replace('[1]', '{}')}}`), isDamage);
    }
  }
});

test('refuses a table or a snapshot of which a field is missing or wrong', () => {
  const whole = JSON.parse(
    encoded({
      snapshot: { version: 0, shard: 1, storeUuid: 'u', ownerEpoch: 3 },
      add: [placed(5, 4, 'a', 'b')],
    }),
  ) as { snapshot: Record<string, unknown>; add: Record<string, unknown>[] };
  const [one = {}] = whole.add;
  assert.is(Object.keys(one).length, 13);
  for (const name of Object.keys(one)) {
    for (const wrong of [undefined, null, -1, {}]) {
      const text = JSON.stringify({ add: [{ ...one, [name]: wrong }] });
      assert.throws(() => decode(text), isDamage, text);
      assert.throws(() => decode(text), new RegExp(name));
    }
  }
  for (const name of Object.keys(whole.snapshot)) {
    for (const wrong of [undefined, null, -1, {}]) {
      const text = JSON.stringify({ snapshot: { ...whole.snapshot, [name]: wrong } });
      assert.throws(() => decode(text), isDamage, text);
    }
  }
  for (const text of ['{"add":[1]}', '{"add":{}}', '{"snapshot":[]}', '{"snapshot":null}']) {
    assert.throws(() => decode(text), isDamage, text);
  }
});

test('refuses a newer version with both versions named, whatever else has changed', () => {
  const text = '{"snapshot":{"version":7,"unheardOf":1},"later":[]}';
  assert.throws(
    () => decode(text),
    (error: unknown) =>
      error instanceof StormError &&
      error.code === 'FAILED_PRECONDITION' &&
      /m has manifest format version 7, this program reads 0/.test(error.message),
  );
});

run();
