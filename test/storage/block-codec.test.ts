import { spawnSync } from 'node:child_process';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { CorruptionError, StormError } from '../../src/base/errors.js';
import {
  BlockCompressor,
  compressionFor,
  decompressBlock,
  lz4Available,
} from '../../src/storage/block-codec.js';
import { CODEC_DEFLATE, CODEC_LZ4, CODEC_RAW, writeU32 } from '../../src/storage/table-format.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('BlockCompressor');

const KINDS: ('lz4' | 'deflate')[] = lz4Available() ? ['lz4', 'deflate'] : ['deflate'];

function compressorOf(kind: 'lz4' | 'deflate'): BlockCompressor {
  const compressor = BlockCompressor.for(kind);
  if (compressor === undefined) throw new Error('none');
  return compressor;
}

test('gives back what it was given, from any place of a buffer', () => {
  const contents = fc.array(fc.constantFrom('abc', 'answer', '{"q":', '\0', 'ÿ'), {
    minLength: 60,
  });
  for (const kind of KINDS) {
    fc.assert(
      fc.property(contents, fc.nat(50), (words, start) => {
        const content = Buffer.from(words.join(''));
        const bytes = new Uint8Array(start + content.length + 9).fill(0xee);
        bytes.set(content, start);
        const compressor = compressorOf(kind);
        const end = compressor.compress(bytes, start, start + content.length);
        assert.is(compressor.codec, kind === 'lz4' ? CODEC_LZ4 : CODEC_DEFLATE);
        assert.ok(end <= start + content.length * 0.875);
        assert.ok(bytes.subarray(0, start).every((byte) => byte === 0xee));
        const raw = decompressBlock(compressor.codec, bytes.subarray(start, end), 'f', 0);
        assert.is(raw.constructor, Uint8Array, 'a slice of it is a copy');
        assert.ok(Buffer.from(raw).equals(content));
      }),
    );
  }
});

test('leaves a block alone that compression would hardly shorten', () => {
  const random = new SeededRandom(1).fill(new Uint8Array(4096));
  for (const kind of KINDS) {
    const bytes = random.slice();
    const compressor = compressorOf(kind);
    assert.is(compressor.compress(bytes, 0, 4096), 4096);
    assert.is(compressor.codec, CODEC_RAW);
    assert.equal(bytes, random);
  }
});

test('tries ever more rarely while blocks do not compress, and again when one does', () => {
  for (const kind of KINDS) {
    const compressor = compressorOf(kind);
    const random = new SeededRandom(2).fill(new Uint8Array(512));
    for (let i = 0; i < 50; i++) compressor.compress(random.slice(), 0, 512);
    let skipped = 0;
    while (compressor.compress(new Uint8Array(512), 0, 512) === 512) skipped++;
    assert.ok(skipped <= 16, `${skipped} skipped`);
    assert.is.not(compressor.compress(new Uint8Array(512), 0, 512), 512);
  }
});

test('does not load anything for uncompressed tables, and knows what auto means', () => {
  assert.is(BlockCompressor.for('none'), undefined);
  assert.is(compressionFor('auto', 'flush'), lz4Available() ? 'lz4' : 'none');
  assert.is(compressionFor('auto', 'merge'), lz4Available() ? 'lz4' : 'deflate');
  assert.is(compressionFor('deflate', 'flush'), 'deflate');
});

test('refuses malformed blocks and unknown codecs, without asking for absurd memory', () => {
  const isDamage = (error: unknown) => error instanceof CorruptionError && error.site.offset === 7;
  const promising = (length: number, packed: Uint8Array) => {
    const block = new Uint8Array(4 + packed.length);
    writeU32(block, 0, length);
    block.set(packed, 4);
    return block;
  };
  const packed = deflateRawSync(new Uint8Array(100));
  for (const [codec, block] of [
    [CODEC_DEFLATE, promising(99, packed)],
    [CODEC_DEFLATE, promising(101, packed)],
    [CODEC_DEFLATE, promising(2 ** 32 - 1, packed)],
    [CODEC_DEFLATE, promising(0, packed)],
    [CODEC_DEFLATE, promising(100, packed.subarray(0, 2))],
    [CODEC_DEFLATE, new Uint8Array(3)],
  ] as const) {
    assert.throws(() => decompressBlock(codec, block, 'f', 7), isDamage);
  }
  const isUnknown = (error: unknown) =>
    error instanceof StormError && error.code === 'UNIMPLEMENTED';
  for (const codec of [CODEC_RAW, 3, 255]) {
    assert.throws(() => decompressBlock(codec, packed, 'f', 7), isUnknown);
  }
  if (!lz4Available()) return;
  const short = promising(50, new Uint8Array([0x10, 0x61]));
  assert.throws(() => decompressBlock(CODEC_LZ4, short, 'f', 7), isDamage);
  const random = new SeededRandom(3);
  for (let i = 0; i < 300; i++) {
    const wild = promising(64, random.fill(new Uint8Array(1 + (i % 40))));
    assert.throws(() => decompressBlock(CODEC_LZ4, wild, 'f', 7), isDamage);
  }
});

/** Prints the outcome of `script`, which sees the codec's exports as `codec`. */
function inProcess(script: string): string {
  const url = new URL('../../src/storage/block-codec.js', import.meta.url).href;
  const code = `import Module from 'node:module';
    import { Worker } from 'node:worker_threads';
    const url = ${JSON.stringify(url)};
    ${script}`;
  const args = ['--input-type=module', '--eval', code];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return stdout + stderr;
}

test('says which package is missing where lz4 cannot be loaded', () => {
  const said = inProcess(`
    const load = Module._load;
    Module._load = (name, ...rest) => {
      if (name === 'lz4-napi') throw new Error('not installed');
      return load(name, ...rest);
    };
    const codec = await import(url);
    const codeOf = (body) => { try { body(); } catch (e) { return e.code + ' ' + e.message; } };
    console.log(codec.lz4Available(), codec.compressionFor('auto', 'flush'),
      codec.compressionFor('auto', 'merge'));
    console.log(codeOf(() => codec.decompressBlock(2, new Uint8Array(9), 't.sst', 0)));
    console.log(codeOf(() => codec.BlockCompressor.for('lz4')));`);
  const [first, reading, writing] = said.split('\n');
  assert.is(first, 'false none deflate');
  assert.match(reading ?? '', /^FAILED_PRECONDITION Cannot read t\.sst.*package lz4-napi/);
  assert.match(writing ?? '', /^FAILED_PRECONDITION Cannot write.*npm install lz4-napi/);
});

test('has lz4 in several workers at once where the main thread has it', () => {
  const said = inProcess(`
    const source = 'import(' + JSON.stringify(url) + ').then((codec) => {' +
      'const bytes = new Uint8Array(500);' +
      'if (!codec.lz4Available()) return console.log(false);' +
      'const packer = codec.BlockCompressor.for("lz4");' +
      'const end = packer.compress(bytes, 0, 500);' +
      'const raw = codec.decompressBlock(2, bytes.subarray(0, end), "f", 0);' +
      'console.log(raw.length === 500); })';
    new Worker(source, { eval: true });
    new Worker(source, { eval: true });`);
  assert.is(said, `${lz4Available()}\n`.repeat(2));
});

run();
