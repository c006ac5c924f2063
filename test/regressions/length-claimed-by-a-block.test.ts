/**
 * A compressed block says how long it will be. Any length below 2 GiB was believed, and memory for
 * it taken, before a byte was decompressed: a block of eight bytes could ask for 2 GiB. Neither
 * codec makes that much of so little. Found by the fuzzer.
 */
import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import { decompressBlock, lz4Available } from '../../src/storage/block-codec.js';
import { CODEC_DEFLATE, CODEC_LZ4, writeU32 } from '../../src/storage/table-format.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('A length claimed by a block');

test('is refused where no compression could reach it, before memory is asked for', () => {
  for (const codec of lz4Available() ? [CODEC_DEFLATE, CODEC_LZ4] : [CODEC_DEFLATE]) {
    const packed = new Uint8Array(12);
    writeU32(packed, 0, 0x7fff_fff0);
    let thrown: unknown;
    try {
      decompressBlock(codec, packed, 'table', 5);
    } catch (error) {
      thrown = error;
    }
    assert.ok(thrown instanceof CorruptionError);
    assert.match(thrown.message, 'impossible length');
    assert.is(thrown.site.offset, 5);
  }
});

run();
