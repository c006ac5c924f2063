import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  ARENA_HEADER_BYTES,
  arenaEntryBytes,
  arenaExpiresAtMs,
  arenaKeyStart,
  arenaLayout,
  arenaSequence,
  HAS_EXPIRY,
  KIND_SHIFT,
  WORD_EXPIRY,
  WORD_KIND,
  WORD_SEQUENCE,
} from '../../src/storage/arena-format.js';
import { KIND_DELETE } from '../../src/storage/entry-cursor.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('The arena');

test('has room for its index, and keeps a slot free for every search to end at', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1024, max: 2 ** 30 }), (arenaBytes) => {
      const { slotCount, keysMax, offsetMask, dataStart } = arenaLayout(arenaBytes);
      assert.is(Math.log2(slotCount) % 1, 0, 'a power of two');
      assert.ok(keysMax < slotCount && keysMax > 0);
      assert.is(dataStart, ARENA_HEADER_BYTES + slotCount * 4);
      assert.ok(dataStart < arenaBytes, 'entries have room');
      assert.is(dataStart % 4, 0);
      assert.ok(offsetMask >= arenaBytes / 4 - 1, 'every word has an offset');
      assert.is(offsetMask & (offsetMask + 1), 0, 'a mask of low bits');
    }),
  );
});

test('aligns entries to words', () => {
  fc.assert(
    fc.property(fc.nat(70), fc.nat(300), fc.boolean(), (key, value, expires) => {
      const bytes = arenaEntryBytes(key, value, expires);
      const exact = 24 + (expires ? 8 : 0) + key + value;
      assert.is(bytes % 4, 0);
      assert.ok(bytes >= exact && bytes < exact + 4);
    }),
  );
});

test('keeps sequences of 53 bits and expiry beside the kind', () => {
  const sequences = fc.oneof(fc.maxSafeNat(), fc.constantFrom(1, 2 ** 32 - 1, 2 ** 32));
  fc.assert(
    fc.property(sequences, fc.nat(2 ** 45), fc.boolean(), (sequence, expiresAtMs, expires) => {
      const words = new Uint32Array(16);
      const at = 4;
      words[at + WORD_SEQUENCE] = sequence;
      words[at + WORD_KIND] =
        (KIND_DELETE << KIND_SHIFT) | (expires ? HAS_EXPIRY : 0) | Math.floor(sequence / 2 ** 32);
      words[at + WORD_EXPIRY] = expiresAtMs;
      words[at + WORD_EXPIRY + 1] = Math.floor(expiresAtMs / 2 ** 32);
      assert.is(arenaSequence(words, at), sequence);
      assert.is(words[at + WORD_KIND]! >>> KIND_SHIFT, KIND_DELETE);
      assert.is(arenaExpiresAtMs(words, at), expires ? expiresAtMs : 0);
      assert.is(arenaKeyStart(words, at), at * 4 + (expires ? 32 : 24));
    }),
  );
});

run();
