/**
 * Writes the corpus: for each decoder what its encoder makes, small. To be run again when a format
 * changes: node dist/test/fuzz/make-corpus.js. Files that are there already and were not made here,
 * like inputs that once broke something, stay.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { StormError } from '../../src/base/errors.js';
import { RunBuilder } from '../../src/base/run-builder.js';
import { encodeCursor } from '../../src/router/scan-cursor.js';
import {
  encodeBatchGetResponse,
  encodeBatchSetResponse,
  encodeScanResponse,
} from '../../src/rpc/batch-codec.js';
import {
  encodeBatchGetRequest,
  encodeConditionalSet,
  encodePackedBatch,
  encodeScanRequest,
} from '../../src/rpc/client-codec.js';
import { encodeSetRequest } from '../../src/rpc/kv-codec.js';
import { encodeMessage } from '../../src/rpc/message-codec.js';
import {
  putKeyItem,
  putMissingItem,
  putPageItem,
  putPageKey,
  putPageMark,
  putValueItem,
} from '../../src/rpc/message-items.js';
import {
  commitRequest,
  MESSAGE_GET,
  MESSAGE_WRITE,
  tryReserveRequest,
  tryWriteFailure,
  tryWriteMissing,
  tryWriteValue,
  tryWriteWritten,
} from '../../src/rpc/messages.js';
import { ProtoWriter } from '../../src/rpc/proto-writer.js';
import {
  tryWritePage,
  tryWriteScan,
  tryWriteScanEnd,
  tryWriteTtl,
  tryWriteValues,
} from '../../src/rpc/read-messages.js';
import { RingConsumer, RingProducer } from '../../src/rpc/ring-channel.js';
import { allocateRing } from '../../src/rpc/ring-layout.js';
import {
  tryReserveWriteIf,
  tryWriteConditionFailed,
  tryWriteExpire,
  writeIfBytes,
} from '../../src/rpc/write-messages.js';
import { BlockCompressor, lz4Available } from '../../src/storage/block-codec.js';
import { FOOTER_BYTES, readFooter, TRAILER_BYTES } from '../../src/storage/table-format.js';
import { walFilesOf } from '../harness/damage-layout.js';
import { makeStore } from '../harness/damage-store.js';
import { FUZZ_NONCE, FUZZ_UUID } from './storage-targets.js';

const CORPUS = join(resolve(import.meta.dirname, '../../..'), 'test/fuzz/corpus');
const NONCE_AT = 16;
const UUID_AT = 16;

type Corpus = Record<string, Uint8Array[]>;

const KEY = Buffer.from('key-15');
const VALUE = Buffer.from('answer answer answer answer');

/** All inputs for one decoder. */
export function readCorpus(decoder: string): Uint8Array[] {
  const dir = join(CORPUS, decoder);
  return readdirSync(dir)
    .sort()
    .map((name) => readFileSync(join(dir, name)));
}

function storageCorpus(): Corpus {
  const { disk, paths } = makeStore('closed');
  const contents = (ending: string): Uint8Array[] =>
    paths.filter((path) => path.endsWith(ending)).map((path) => disk.contentOf(path));
  const tables = contents('.sst').filter(({ length }) => length < 2300);
  const segments = walFilesOf(disk).map(({ path }) => segmentOf(disk.contentOf(path)));
  const manifests = contents('.log').map((bytes) => manifestOf(bytes));
  const parts = tables.map((bytes) => partsOf(bytes));
  const edits = manifests.flatMap((bytes) => payloadsOf(bytes));
  return {
    'log-frame': segments.flatMap((bytes) => [bytes.slice(4096, 8192), ownFrame(bytes)]),
    'wal-segment-header': segments.map((bytes) => bytes.slice(0, 4096)),
    'wal-segment': segments,
    'manifest-log': manifests,
    'manifest-edit': edits,
    root: [disk.contentOf('/data/ROOT'), THREE_SHARDS],
    'table-footer': tables.map((bytes) => bytes.slice(bytes.length - FOOTER_BYTES)),
    'table-properties': parts.map(({ properties }) => properties),
    'table-index': parts.map(({ index }) => index),
    'bloom-filter': parts.map(({ filter }) => filter),
    block: parts.flatMap(({ blocks }) => blocks),
    'block-deflate': compressedBlocks('deflate'),
    ...(lz4Available() && { 'block-lz4': compressedBlocks('lz4') }),
    table: tables,
    varint: [[0], [1], [0x7f], [0x80, 1], [0xff, 0x7f], MAX_VARINT].map((b) => Uint8Array.from(b)),
  };
}

const MAX_VARINT = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
const THREE_SHARDS = Buffer.from(
  '{"what":"stormkv root","version":0,"storeUuid":"00112233445566778899aabbccddeeff",' +
    '"shardCount":3,"slotCount":16384,"slotHash":"crc16-xmodem","slotMapEpoch":1,' +
    '"slotRanges":[[0,5460],[5461,10921],[10922,16383]]}\n0f2f9f97\n',
);

/** Of the store that the fuzzer says it is, and the first one. */
function segmentOf(bytes: Uint8Array): Uint8Array {
  const segment = bytes.slice();
  const view = new DataView(segment.buffer);
  segment.set(Buffer.from(FUZZ_UUID, 'hex'), UUID_AT);
  view.setBigUint64(32, 1n, true);
  view.setBigUint64(64, 1n, true);
  let sequence = 1n;
  for (let at = 4096; at < segment.length; at += 4096) {
    if (view.getUint16(at + 8, true) !== 0x4653) continue;
    view.setBigUint64(at + 32, sequence, true);
    sequence += BigInt(view.getUint32(at + 12, true));
  }
  return segment;
}

function ownFrame(segment: Uint8Array): Uint8Array {
  const frame = segment.slice(4096, 8192);
  new DataView(frame.buffer).setBigUint64(24, 0n, true);
  return frame;
}

function manifestOf(bytes: Uint8Array): Uint8Array {
  const manifest = bytes.slice();
  const view = new DataView(manifest.buffer);
  for (let at = 0; at < manifest.length; at += 4096) {
    view.setBigUint64(at + NONCE_AT, BigInt(FUZZ_NONCE), true);
  }
  const uuid = Buffer.from(manifest).indexOf('"storeUuid":"') + 13;
  manifest.set(Buffer.from(FUZZ_UUID), uuid);
  return manifest;
}

function payloadsOf(manifest: Uint8Array): Uint8Array[] {
  const view = new DataView(manifest.buffer, manifest.byteOffset, manifest.length);
  const payloads: Uint8Array[] = [];
  for (let at = 0; at < manifest.length; at += 4096) {
    payloads.push(manifest.slice(at + 64, at + 64 + view.getUint32(at + 4, true)));
  }
  return payloads;
}

function partsOf(table: Uint8Array) {
  const footerAt = table.length - FOOTER_BYTES;
  const f = readFooter(table, footerAt, 'table', footerAt);
  const section = (at: number, length: number) => table.slice(at, at + length - TRAILER_BYTES);
  const index = section(f.indexOffset, f.indexLength);
  const view = new DataView(index.buffer);
  const blocks: Uint8Array[] = [];
  for (let i = 0, start = 0; i < view.getUint32(0, true); i++) {
    const end = view.getUint32(4 + i * 16, true);
    const isRaw = table[end - TRAILER_BYTES] === 0;
    if (isRaw) blocks.push(section(start, end - start));
    start = end;
  }
  return {
    index,
    blocks,
    filter: section(f.filterOffset, f.filterLength),
    properties: section(f.propertiesOffset, f.propertiesLength),
  };
}

function compressedBlocks(compression: 'deflate' | 'lz4'): Uint8Array[] {
  return [40, 300, 2000].map((repeats) => {
    const bytes = new Uint8Array(32 * 1024);
    const text = Buffer.from('key-answer '.repeat(repeats));
    bytes.set(text);
    const end = BlockCompressor.for(compression)?.compress(bytes, 0, text.length) ?? 0;
    return bytes.slice(0, end);
  });
}

function rpcCorpus(): Corpus {
  const run = new RunBuilder();
  run.put(KEY, VALUE);
  run.put(KEY, VALUE, 60_000);
  run.delete(KEY);
  run.put(KEY, Buffer.alloc(300, 7));
  const bytes = run.runView().slice();
  const small = bytes.slice(0, 37);
  return {
    'entry-run': [bytes, small],
    'ring-memory': ringMemories(),
    'request-message': frames((producer) => writeRequests(producer, small)),
    'reply-message': frames(writeReplies),
    'message-items': itemSequences(),
    msgpack: [[1, 'a', null, true, -5, 2 ** 40, 1.5], { a: [KEY, [[]]] }].map(encodeMessage),
    ...protoCorpus(small),
  };
}

function protoCorpus(run: Uint8Array): Corpus {
  const conditions = { ttlMs: 5000, ifAbsent: false, ifVersion: 17 };
  const set = encodeConditionalSet(KEY, VALUE, conditions);
  const batch = new ProtoWriter();
  batch.message(1, set);
  batch.message(1, encodeSetRequest(KEY, VALUE));
  const error = new StormError('RESOURCE_EXHAUSTED', 'full', { retryAfterMs: 5 });
  const entry = { key: KEY, value: VALUE, version: 17 };
  const scan = { reverse: true, keysOnly: true, limit: 10 };
  const numbers = new ProtoWriter();
  for (const field of [1, 2, 3]) numbers.number(field, 1000 * field);
  const key = new ProtoWriter();
  key.bytes(1, KEY);
  key.number(2, 1);
  return {
    'set-request': [set, encodeSetRequest(KEY, VALUE)],
    'key-request': [key.resultView()],
    'batch-set-request': [encodePackedBatch(run), batch.resultView()],
    'batch-get-request': [encodeBatchGetRequest([KEY, VALUE])],
    'scan-request': [
      encodeScanRequest({ ...scan, from: KEY, to: VALUE, prefix: KEY, cursor: '' }),
      encodeScanRequest({ ...scan, cursor: 'abc' }),
    ],
    'batch-set-response': [
      encodeBatchSetResponse({ written: 5, errors: [{ index: 3, error }] }),
      encodeBatchSetResponse({ written: 5, errors: [] }),
    ],
    'batch-get-response': [encodeBatchGetResponse([{ value: VALUE, sequence: 17 }, undefined])],
    'scan-response': [
      encodeScanResponse({ entries: [entry], cursor: 'x', freshSnapshot: true, isLast: true }),
    ],
    'numbers-response': [numbers.resultView()],
    'kill-worker-request': [Uint8Array.of(8, 1, 16, 2), Uint8Array.of(8, 3)],
  };
}

/** The bodies of all frames that `write` puts into a ring. */
function frames(write: (producer: RingProducer) => void): Uint8Array[] {
  const memory = allocateRing(64 * 1024, 1);
  write(new RingProducer(memory));
  const consumer = new RingConsumer(memory);
  const bodies: Uint8Array[] = [];
  while (consumer.tryRead()) {
    const { bytes, frameStart, frameLength } = consumer;
    bodies.push(bytes.slice(frameStart, frameStart + frameLength));
  }
  return bodies;
}

function writeRequests(producer: RingProducer, run: Uint8Array): void {
  producer.bytes.set(run, tryReserveRequest(producer, MESSAGE_WRITE, 5, 1, run.length));
  commitRequest(producer, run.length);
  producer.bytes.set(KEY, tryReserveRequest(producer, MESSAGE_GET, 6, 1, KEY.length));
  commitRequest(producer, KEY.length);
  const conditions = [
    { index: 0, version: 17 },
    { index: 2, version: 0 },
  ];
  producer.bytes.set(run, tryReserveWriteIf(producer, 7, 1, run.length, conditions));
  producer.commit(writeIfBytes(run.length, conditions.length));
  tryWriteExpire(producer, 8, 1, KEY, 60_000);
  const scan = { reverse: false, limit: 1000, bytesMax: 65_536, keysOnly: false };
  tryWriteScan(producer, 9, 1, { ...scan, snapshotId: 0, from: KEY, to: undefined });
  tryWriteScanEnd(producer, 10, 1, 2 ** 33);
}

function writeReplies(producer: RingProducer): void {
  tryWriteWritten(producer, 5, 2 ** 32 + 9, 3);
  tryWriteValue(producer, 6, 17, VALUE, 0, VALUE.length);
  tryWriteMissing(producer, 7);
  const error = new StormError('UNAVAILABLE', 'not now', { outcome: 'unknown', retryAfterMs: 25 });
  tryWriteFailure(producer, 8, error);
  tryWriteConditionFailed(producer, 9, 1, 17);
  tryWriteTtl(producer, 10, 17, 60_000);
  const [, values = VALUE, page = VALUE] = itemSequences();
  tryWriteValues(producer, 11, true, values, 1, values.length - 1);
  tryWritePage(producer, 12, 2 ** 33, false, page, 1, page.length - 1);
}

/** The first byte says which kind: see the fuzz target. */
function itemSequences(): Uint8Array[] {
  const target = new Uint8Array(1024);
  const done = (kind: number, end: number): Uint8Array => {
    target[0] = kind;
    return target.slice(0, end);
  };
  const keys = done(0, putKeyItem(target, putKeyItem(target, 1, KEY), VALUE));
  const value = putValueItem(target, 1, 17, VALUE, 0, VALUE.length);
  const values = done(1, putMissingItem(target, value));
  const entry = putPageItem(target, 1, KEY, 0, KEY.length, VALUE, 0, VALUE.length, 17);
  const only = putPageKey(target, entry, KEY, 0, KEY.length, 18);
  const page = done(2, putPageMark(target, only, KEY, 0, KEY.length));
  return [keys, values, page];
}

/** A ring's memory with frames in it, and its head behind that. */
function ringMemories(): Uint8Array[] {
  return [[20, 0, 100], [400, 300], [1]].map((lengths) => {
    const memory = allocateRing(1024, 1);
    const producer = new RingProducer(memory);
    for (const length of lengths) {
      producer.tryReserve(length);
      producer.commit(length);
    }
    const head = new Int32Array(memory.control)[0] ?? 0;
    const tail = Buffer.alloc(8);
    tail.writeInt32LE(head);
    return Buffer.concat([new Uint8Array(memory.data), tail]);
  });
}

function doorCorpus(): Corpus {
  const position = { from: KEY, to: undefined, lastKey: KEY, reverse: false, slotMapEpoch: 1 };
  const text = encodeCursor({ ...position, snapshotIds: [5, undefined], shards: [0, 1] });
  const body = Buffer.from(text, 'base64url');
  const texts = (...all: string[]) => all.map((one) => Buffer.from(one));
  const config =
    '{"$schema":"x","wal":{"sync":"interval","syncIntervalMs":50},"limits":{"keyBytesMax":1024}}';
  return {
    'scan-cursor': [body.subarray(0, body.length - 4)],
    'scan-cursor-text': texts(text),
    'http-target': texts('/kv/a%2Fb%20c', '/kv/plain', '/ttl/%f0%9f%98%80', '/kv?prefix=a'),
    'http-query': texts(
      '/kv?prefix=a%20b&limit=10&reverse=true&encoding=utf8',
      '/kv?from=a&to=b+c&keys_only&cursor=abc-_',
      '/kv?key=a&key=b',
    ),
    'http-headers': texts('"17"\n\n', '\n*\n500', '\n"1", W/"2"\n', '\n\n60000'),
    'json-line': texts(
      '{"key":"k","value":"djE=","version":17}',
      '{"key":"k\\u00e9","valueBase64":"/w==","ttl_ms":5000}',
      '{"key":"k","value":null}',
      '{"cursor":"abc"}',
      '{"key":"k","value":"text with spaces"}',
    ),
    'json-text': texts(config, '[1,-2.5e10,true,null,"\\u0041\\n",{"a":{}}]', '{"a":[[[]]]}'),
    config: texts(config, '{}', '{"wal":{"segmentBytes":16777216},"table":{"compression":"lz4"}}'),
    'config-environment': texts(
      'STORMKV_WAL_SYNC=os\nSTORMKV_LIMITS_KEY_BYTES_MAX=100',
      'STORMKV_WAL_SYNC=always\nPATH=x\nSTORMKV_SERVICE_HOST=y',
    ),
  };
}

function writeAll(corpus: Corpus): void {
  for (const [decoder, inputs] of Object.entries(corpus)) {
    const dir = join(CORPUS, decoder);
    mkdirSync(dir, { recursive: true });
    for (const [i, input] of inputs.entries()) writeFileSync(join(dir, `made-${i}.bin`), input);
  }
}

if (process.argv[1] === import.meta.filename) {
  writeAll({ ...storageCorpus(), ...rpcCorpus(), ...doorCorpus() });
}
