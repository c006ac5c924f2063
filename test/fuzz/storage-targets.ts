/** The decoders of what is on disk. */
import { crc32 } from 'node:zlib';
import { hash32 } from '../../src/base/hash.js';
import { fileNumber } from '../../src/base/ids.js';
import { decompressBlock } from '../../src/storage/block-codec.js';
import { BlockReader } from '../../src/storage/block-reader.js';
import { MemorySource } from '../../src/storage/block-source.js';
import { BloomFilter, FILTER_HASH_SEED } from '../../src/storage/bloom-filter.js';
import { surveyManifest } from '../../src/storage/check-manifest.js';
import { surveyTable } from '../../src/storage/check-table.js';
import { surveySegment } from '../../src/storage/check-wal.js';
import { encodeCheckedJson } from '../../src/storage/checked-json.js';
import type { EntryView } from '../../src/storage/entry-cursor.js';
import {
  FRAME_ALIGN_BYTES,
  FRAME_HEADER_BYTES,
  peekFrame,
  readFrame,
} from '../../src/storage/log-frame.js';
import { decodeEdit, encodeEdit } from '../../src/storage/manifest-format.js';
import { readManifest } from '../../src/storage/manifest-log.js';
import {
  applyEdit,
  EMPTY_STATE,
  type ManifestState,
  snapshotEdit,
} from '../../src/storage/manifest-state.js';
import { readRoot } from '../../src/storage/root-manifest.js';
import {
  CODEC_DEFLATE,
  CODEC_LZ4,
  FOOTER_BYTES,
  readFooter,
  readU32,
  sealSection,
  TRAILER_BYTES,
  writeFooter,
  writeU32,
} from '../../src/storage/table-format.js';
import { TableIndex } from '../../src/storage/table-index.js';
import {
  propertiesLength,
  readProperties,
  writeProperties,
} from '../../src/storage/table-properties.js';
import { TableReader } from '../../src/storage/table-reader.js';
import { VarintReader, writeVarint } from '../../src/storage/varint.js';
import { decodeSegmentHeader, encodeSegmentHeader } from '../../src/storage/wal-format.js';
import { readWal } from '../../src/storage/wal-reader.js';
import {
  around,
  type FuzzTarget,
  mixed,
  mixedBytes,
  promise,
  REJECTED,
} from '../harness/fuzz-run.js';
import { MemoryFiles } from './memory-files.js';

export const FUZZ_UUID = '00112233445566778899aabbccddeeff';
export const FUZZ_NONCE = 0x1122_3344_5566;
const DIR = '/fuzz';
const FILE = `${DIR}/file`;
const UUID = new Uint8Array(Buffer.from(FUZZ_UUID, 'hex'));
const KEYS = ['', 'a', 'key-15', 'key-20', 'key-3', 'zz'].map((key) => Buffer.from(key));
const RATIO_MAX = 1100;
const SURVEY_EVERY = 8;
const ignore = (): void => {};

function sumOf(sum: number, entry: EntryView): number {
  const { keyBytes, keyStart, keyLength, valueBytes, valueStart, valueLength } = entry;
  promise(
    keyStart + keyLength <= keyBytes.length && valueStart + valueLength <= valueBytes.length,
    'an entry lies outside of its bytes',
  );
  const withKey = mixedBytes(mixed(sum, entry.sequence), keyBytes, keyStart, keyLength);
  return mixedBytes(withKey, valueBytes, valueStart, valueLength);
}

/** Makes the checksums of all frames right, and each name the one before. */
function repairFrames(input: Uint8Array, firstAt: number, firstChain: number): void {
  let chain = firstChain;
  for (let at = firstAt; at + FRAME_HEADER_BYTES <= input.length; at += FRAME_ALIGN_BYTES) {
    const header = peekFrame(input, at);
    if (header === undefined || at + FRAME_HEADER_BYTES + header.payloadLength > input.length) {
      continue;
    }
    const end = at + FRAME_HEADER_BYTES + header.payloadLength;
    writeU32(input, at + 56, chain);
    chain = crc32(input.subarray(at + 4, end));
    writeU32(input, at, chain);
  }
}

const logFrame: FuzzTarget = {
  name: 'log-frame',
  repair: (input) => repairFrames(input, 0, 0),
  run(input) {
    const header = readFrame(input, 0);
    if (header === undefined) return REJECTED;
    promise(FRAME_HEADER_BYTES + header.payloadLength <= input.length, 'a frame reaches outside');
    return mixed(mixed(header.crc, header.count), header.firstSequence);
  },
};

function repairSegmentHeader(input: Uint8Array): void {
  if (input.length >= 512) writeU32(input, 0, crc32(input.subarray(4, 512)));
}

const segmentHeader: FuzzTarget = {
  name: 'wal-segment-header',
  repair: repairSegmentHeader,
  run(input) {
    const reading = decodeSegmentHeader(input);
    if (reading.kind === 'damaged') return REJECTED;
    if (reading.kind === 'blank') return 'blank';
    const { header } = reading;
    if (header.version === 0 && input.subarray(108, 512).every((byte) => byte === 0)) {
      const again = decodeSegmentHeader(encodeSegmentHeader(header));
      promise(
        again.kind === 'valid' && again.header.nonce === header.nonce,
        'not what was encoded',
      );
    }
    return mixed(mixed(header.crc, header.number), header.predecessor.endOffset);
  },
};

let runs = 0;

const walSegment: FuzzTarget = {
  name: 'wal-segment',
  repair(input) {
    repairSegmentHeader(input);
    if (input.length >= 512) repairFrames(input, FRAME_ALIGN_BYTES, readU32(input, 0));
  },
  run(input) {
    const files = new MemoryFiles(DIR, { 'wal-000001.seg': input });
    if (++runs % SURVEY_EVERY === 0) surveySegment(files, `${DIR}/wal-000001.seg`, {}, ignore);
    let sum = 0;
    let last = 0;
    const reading = readWal(files, DIR, { storeUuid: UUID, shard: 0 }, 1, 0, (frame) => {
      const { header, bytes, payloadStart } = frame;
      promise(header.firstSequence > last, 'sequences fall');
      last = header.firstSequence;
      sum = mixedBytes(mixed(sum, last), bytes, payloadStart, header.payloadLength);
    });
    promise(reading.end.endOffset <= input.length, 'the log ends behind its file');
    return mixed(sum, reading.end.lastSequence);
  },
};

function mustReadTheSame(state: ManifestState): void {
  const identity = { shard: 0, storeUuid: FUZZ_UUID, version: 0 };
  const bytes = encodeEdit(snapshotEdit(state, identity));
  const again = applyEdit(EMPTY_STATE, decodeEdit(bytes, FILE, 0));
  const isSame = JSON.stringify(again) === JSON.stringify(state);
  promise(isSame, 'a state is another when it is read again');
}

const manifestLog: FuzzTarget = {
  name: 'manifest-log',
  repair: (input) => repairFrames(input, 0, 0),
  run(input) {
    const files = new MemoryFiles(DIR, { CURRENT, 'manifest-000001.log': input });
    if (++runs % SURVEY_EVERY === 0)
      surveyManifest(files, `${DIR}/manifest-000001.log`, {}, ignore);
    const found = readManifest(files, DIR, { shard: 0, storeUuid: FUZZ_UUID });
    if (found === undefined) return REJECTED;
    const { state } = found;
    if (runs % SURVEY_EVERY === 1) mustReadTheSame(state);
    const { nextNumber, flushedSequence, durableSequence } = state;
    return `${found.edits} ${state.runs.length} ${nextNumber + flushedSequence + durableSequence}`;
  },
};

const CURRENT = encodeCheckedJson({ manifest: 1, nonce: FUZZ_NONCE, storeUuid: FUZZ_UUID });

const manifestEdit: FuzzTarget = {
  name: 'manifest-edit',
  words: [
    '"add":[',
    '"remove":[1]',
    '"runs":[]',
    '"snapshot":{',
    '-1',
    '1e309',
    'null',
    '{}',
    '[]',
  ],
  run(input) {
    const edit = decodeEdit(input, FILE, 0);
    const bytes = encodeEdit(edit);
    const again = encodeEdit(decodeEdit(bytes, FILE, 0));
    promise(Buffer.compare(bytes, again) === 0, 'an edit is another when it is read again');
    return hash32(bytes, 0, bytes.length, 1);
  },
};

const root: FuzzTarget = {
  name: 'root',
  words: ['"version":1', '"shardCount":0', '[0,16383]', '16384', 'null', '\n'],
  repair(input) {
    const end = input.indexOf(0x0a) + 1;
    const sum = crc32(input.subarray(0, end)).toString(16).padStart(8, '0');
    if (end > 0 && end + 9 === input.length) input.set(Buffer.from(`${sum}\n`), end);
  },
  run(input) {
    const found = readRoot(new MemoryFiles(DIR, { ROOT: input }), DIR);
    if (found === undefined) return REJECTED;
    const slots = found.slotRanges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    promise(slots === 16_384 && found.slotRanges.length === found.shardCount, 'slots are missing');
    return JSON.stringify(found);
  },
};

const footer: FuzzTarget = {
  name: 'table-footer',
  repair(input) {
    if (input.length !== FOOTER_BYTES) return;
    const offset = (readU32(input, 16) + readU32(input, 20)) >>> 0;
    writeU32(input, 36, crc32(input.subarray(0, 36), offset));
  },
  run(input) {
    if (input.length !== FOOTER_BYTES) return REJECTED;
    const offset = (readU32(input, 16) + readU32(input, 20)) >>> 0;
    const found = readFooter(around(input), input.byteOffset, FILE, offset);
    const again = new Uint8Array(FOOTER_BYTES);
    writeFooter(again, 0, offset, found);
    promise(Buffer.compare(again, input) === 0, 'a footer is written otherwise');
    return JSON.stringify(found);
  },
};

const properties: FuzzTarget = {
  name: 'table-properties',
  run(input) {
    const found = readProperties(around(input), input.byteOffset, input.length, FILE, 0);
    const again = new Uint8Array(propertiesLength(found));
    writeProperties(again, 0, found);
    promise(Buffer.compare(again, input) === 0, 'properties are written otherwise');
    return mixed(found.entryCount, found.maxKey.length);
  },
};

const index: FuzzTarget = {
  name: 'table-index',
  run(input) {
    // As in a file: the blocks end where the last record says, if any does.
    const count = input.length < 20 ? 0 : Math.min(readU32(input, 0), (input.length - 4) >>> 4);
    const blocksEnd = count === 0 ? 0 : readU32(input, 4 + (count - 1) * 16);
    const found = new TableIndex(around(input), input.byteOffset, input.length, blocksEnd, FILE, 0);
    let sum = found.count;
    for (const key of KEYS) {
      const block = found.find(key, 0, key.length, 7);
      promise(block >= 0 && block <= found.count, 'a block that is not there');
      sum = mixed(sum, block);
    }
    return sum;
  },
};

const bloom: FuzzTarget = {
  name: 'bloom-filter',
  run(input) {
    const found = new BloomFilter(around(input), input.byteOffset, input.length, FILE, 0);
    let sum = found.shape.lines;
    for (const key of KEYS) {
      const hash = hash32(key, 0, key.length, FILTER_HASH_SEED);
      sum = mixed(sum, Number(found.mayContain(hash)));
    }
    return sum;
  },
};

const blockReader = new BlockReader(FILE);

function walkBlock(input: Uint8Array): number {
  const start = input.byteOffset;
  blockReader.openBlock(around(input), start, start + input.length, 0);
  let sum = 0;
  let count = 0;
  for (blockReader.toFirst(); blockReader.valid; blockReader.nextInBlock()) {
    sum = sumOf(sum, blockReader);
    promise(++count <= input.length, 'more entries than bytes');
  }
  for (const key of KEYS) {
    blockReader.search(key, 9);
    sum = mixed(sum, blockReader.valid ? blockReader.sequence : -1);
  }
  return sum;
}

const block: FuzzTarget = { name: 'block', run: walkBlock };

function compressed(name: string, codec: number): FuzzTarget {
  return {
    name,
    run(input) {
      const raw = decompressBlock(codec, input, FILE, 0);
      promise(raw.length <= input.length * RATIO_MAX, `${raw.length} bytes of ${input.length}`);
      return mixedBytes(0, raw, 0, raw.length);
    },
  };
}

/** Seals every section that the footer names, and the footer. */
function repairTable(input: Uint8Array): void {
  const footerAt = input.length - FOOTER_BYTES;
  if (footerAt < 0) return;
  const sections = [0, 8, 16].map((field) => ({
    start: readU32(input, footerAt + field),
    length: readU32(input, footerAt + field + 4),
  }));
  for (const { start, length } of sections) {
    if (length < TRAILER_BYTES || start + length > footerAt) continue;
    const codecAt = start + length - TRAILER_BYTES;
    sealSection(input, start, codecAt, start, input[codecAt]);
  }
  writeU32(input, footerAt + 36, crc32(input.subarray(footerAt, footerAt + 36), footerAt));
  const indexAt = sections[0]?.start ?? 0;
  if (indexAt + 4 > footerAt) return;
  const count = Math.min(readU32(input, indexAt), 64);
  for (let i = 0, start = 0; i < count && indexAt + 8 + i * 16 <= footerAt; i++) {
    const end = readU32(input, indexAt + 4 + i * 16);
    const codecAt = end - TRAILER_BYTES;
    if (codecAt < start || end > footerAt) return;
    sealSection(input, start, codecAt, start, input[codecAt]);
    start = end;
  }
}

const table: FuzzTarget = {
  name: 'table',
  repair: repairTable,
  run(input) {
    const files = new MemoryFiles(DIR, { 'table-000001.sst': input });
    const path = `${DIR}/table-000001.sst`;
    if (++runs % SURVEY_EVERY === 0) surveyTable(files, path, {}, ignore);
    const footerAt = input.length - FOOTER_BYTES;
    if (footerAt < 0) return REJECTED;
    const { propertiesOffset: at, propertiesLength: length } = readFooter(
      input,
      footerAt,
      path,
      footerAt,
    );
    if (length < TRAILER_BYTES) return REJECTED;
    const read = readProperties(input, at, length - TRAILER_BYTES, path, at);
    const meta = { ...read, number: fileNumber(read.number), sizeBytes: input.length, crc32: 0 };
    const reader = new TableReader(new MemorySource(input, path), path, meta, 'always');
    let sum = 0;
    let count = 0;
    const cursor = reader.cursor();
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
      sum = sumOf(sum, cursor);
      promise(++count <= input.length * RATIO_MAX, 'more entries than bytes');
    }
    for (const key of KEYS) {
      cursor.seek(key);
      sum = mixed(sum, cursor.valid ? cursor.sequence : -1);
    }
    const back = reader.reverseCursor();
    for (back.seekToLast(1_000_000); back.valid; back.previous()) {
      sum = sumOf(sum, back);
      promise(++count <= 2 * input.length * RATIO_MAX, 'more entries than bytes');
    }
    return sum;
  },
};

const varint: FuzzTarget = {
  name: 'varint',
  run(input) {
    const reader = new VarintReader();
    reader.reset(around(input), input.byteOffset, input.byteOffset + input.length);
    const value = reader.read();
    const length = reader.at - input.byteOffset;
    promise(length <= input.length, 'a number reaches outside');
    if (value < 0) return REJECTED;
    const again = new Uint8Array(10);
    const end = writeVarint(again, 0, value);
    const isSame = Buffer.compare(again.subarray(0, end), input.subarray(0, length)) === 0;
    promise(isSame, 'a number is written otherwise');
    return value;
  },
};

export const STORAGE_TARGETS: readonly FuzzTarget[] = [
  logFrame,
  segmentHeader,
  walSegment,
  manifestLog,
  manifestEdit,
  root,
  footer,
  properties,
  index,
  bloom,
  block,
  compressed('block-deflate', CODEC_DEFLATE),
  compressed('block-lz4', CODEC_LZ4),
  table,
  varint,
];
