/** The decoders of what passes between threads and machines. */
import {
  deleteLength,
  expiringPutLength,
  putLength,
  RUN_FORMAT,
  RunReader,
  writeDelete,
  writeExpiringPut,
  writePut,
} from '../../src/base/entry-run.js';
import { decodeKillWorkerRequest } from '../../src/rpc/admin-codec.js';
import {
  decodeBatchGetRequest,
  decodeBatchSetRequest,
  decodeScanRequest,
} from '../../src/rpc/batch-codec.js';
import {
  decodeBatchGetResponse,
  decodeBatchSetResponse,
  decodeNumbers,
  decodeScanResponse,
  encodeBatchGetRequest,
} from '../../src/rpc/client-codec.js';
import { decodeKeyRequest, decodeSetRequest } from '../../src/rpc/kv-codec.js';
import { decodeMessage, encodeMessage } from '../../src/rpc/message-codec.js';
import { ItemReader } from '../../src/rpc/message-items.js';
import {
  decodeReply,
  decodeRequest,
  MESSAGE_VALUE,
  ReplyView,
  RequestView,
} from '../../src/rpc/messages.js';
import { MESSAGE_PAGE, MESSAGE_VALUES } from '../../src/rpc/read-messages.js';
import { RingConsumer, RingProducer } from '../../src/rpc/ring-channel.js';
import {
  allocateRing,
  frameBytes,
  frameCheck,
  WORD_HEAD,
  WORD_TAIL,
} from '../../src/rpc/ring-layout.js';
import {
  around,
  type FuzzTarget,
  mixed,
  mixedBytes,
  promise,
  REJECTED,
} from '../harness/fuzz-run.js';

const RING_BYTES = 16 * 1024;
const RUN_BYTES_MAX = 64 * 1024 + 64;

const runReader = new RunReader();
const again = new Uint8Array(4 * RUN_BYTES_MAX);

/** Everything in a run; also that writing it anew gives the same entries. */
function readRun(bytes: Uint8Array, start: number, length: number): number {
  const reader = runReader;
  reader.reset(bytes, start, length);
  let sum = 0;
  let to = 1;
  again[0] = RUN_FORMAT;
  while (reader.next()) {
    const { keyStart, keyLength, valueStart, valueLength, ttlMs, isDelete, entryEnd } = reader;
    promise(entryEnd <= start + length, 'an entry reaches outside of its run');
    promise(
      valueStart + valueLength <= entryEnd && keyStart + keyLength <= entryEnd,
      'its parts do',
    );
    sum = mixedBytes(mixed(sum, ttlMs), bytes, keyStart, keyLength);
    sum = mixedBytes(mixed(sum, Number(isDelete)), bytes, valueStart, valueLength);
    const key = bytes.subarray(keyStart, keyStart + keyLength);
    const value = bytes.subarray(valueStart, valueStart + valueLength);
    const before = to;
    if (isDelete) to = writeDelete(again, to, key);
    else if (ttlMs === 0) to = writePut(again, to, key, value);
    else to = writeExpiringPut(again, to, key, value, ttlMs);
    const expected = isDelete
      ? deleteLength(keyLength)
      : ttlMs === 0
        ? putLength(keyLength, valueLength)
        : expiringPutLength(keyLength, valueLength);
    promise(to - before === expected, 'an entry is not as long as it should be');
  }
  return sum;
}

const entryRun: FuzzTarget = {
  name: 'entry-run',
  run(input) {
    const sum = readRun(around(input), input.byteOffset, input.length);
    const { count } = runReader;
    const end = endOfRun();
    promise(readRun(again.slice(0, end), 0, end) === sum, 'a run is another when written anew');
    promise(runReader.count === count, 'a run has more or fewer entries when written anew');
    return sum;
  },
};

/** Where the run that `readRun` wrote ends: its entries, walked once more. */
function endOfRun(): number {
  const { count } = runReader;
  const reader = new RunReader();
  reader.reset(again, 0, again.length);
  for (let i = 0; i < count; i++) reader.next();
  return reader.entryEnd;
}

/** A ring with just this frame in it, amid what the byte before the input says. */
function framed(input: Uint8Array): RingConsumer {
  const memory = ring;
  const filler = new Uint8Array(input.buffer)[input.byteOffset - 1] ?? 0;
  const control = new Int32Array(memory.control);
  Atomics.store(control, WORD_HEAD, 0);
  Atomics.store(control, WORD_TAIL, 0);
  new Uint8Array(memory.data).fill(filler, 0, Math.min(RING_BYTES, input.length + 128));
  const producer = new RingProducer(memory);
  const at = producer.tryReserve(input.length);
  producer.bytes.set(input, at);
  producer.commit(input.length);
  const consumer = new RingConsumer(memory);
  promise(consumer.tryRead(), 'a frame that was written is not there');
  promise(consumer.frameLength === input.length, 'a frame has another length');
  return consumer;
}

const ring = allocateRing(RING_BYTES, 1);
const FRAME_BYTES_MAX = new RingProducer(ring).frameBytesMax;
const request = new RequestView();
const reply = new ReplyView();
const items = new ItemReader();

function isWithin(consumer: RingConsumer, start: number, length: number): void {
  const { frameStart, frameLength } = consumer;
  promise(
    length >= 0 && start >= frameStart && start + length <= frameStart + frameLength,
    'a payload lies outside of its frame',
  );
}

const requests: FuzzTarget = {
  name: 'request-message',
  run(input) {
    if (input.length > FRAME_BYTES_MAX) return REJECTED;
    const consumer = framed(input);
    decodeRequest(consumer, request);
    const { type, callId, payloadStart, payloadLength, conditions = [], scan } = request;
    isWithin(consumer, payloadStart, scan === undefined ? payloadLength : 0);
    let sum = mixedBytes(mixed(type, callId), consumer.bytes, payloadStart, payloadLength);
    for (const { index, version } of conditions) sum = mixed(mixed(sum, index), version);
    if (scan !== undefined) {
      promise(scan.limit >= 1 && scan.bytesMax >= 1, 'a scan of nothing');
      sum = mixed(mixed(sum, scan.snapshotId), (scan.from?.length ?? 0) + scan.limit);
    }
    return sum;
  },
};

const replies: FuzzTarget = {
  name: 'reply-message',
  words: ['\xb0DATA_CORRUPTION', '\xa8INTERNAL', '\xcb\x7f\xf8\0\0\0\0\0\0'],
  run(input) {
    if (input.length > FRAME_BYTES_MAX) return REJECTED;
    const consumer = framed(input);
    decodeReply(consumer, reply);
    const { type, callId, error } = reply;
    if (error !== undefined) return `${callId} ${error.code} ${error.message}`;
    let sum = mixed(type, callId);
    if (type === MESSAGE_VALUE) {
      isWithin(consumer, reply.valueStart, reply.valueLength);
      sum = mixedBytes(sum, consumer.bytes, reply.valueStart, reply.valueLength);
    }
    if (type !== MESSAGE_VALUES && type !== MESSAGE_PAGE) return sum;
    isWithin(consumer, reply.itemsStart, reply.itemsLength);
    const which = type === MESSAGE_PAGE ? 'nextEntry' : 'nextValue';
    return readItems(consumer.bytes, reply.itemsStart, reply.itemsLength, which);
  },
};

function readItems(
  bytes: Uint8Array,
  start: number,
  length: number,
  next: 'nextKey' | 'nextValue' | 'nextEntry',
): number {
  items.reset(bytes, start, length);
  let sum = 0;
  let count = 0;
  while (items[next]()) {
    promise(++count <= length, 'more items than bytes');
    const { keyStart, keyLength, valueStart, valueLength, hasValue, sequence } = items;
    if (next !== 'nextValue') {
      promise(keyStart + keyLength <= start + length, 'a key reaches outside');
      sum = mixedBytes(sum, bytes, keyStart, keyLength);
    }
    if (next === 'nextKey' || !hasValue) continue;
    promise(valueStart + valueLength <= start + length, 'a value reaches outside');
    sum = mixedBytes(mixed(sum, sequence), bytes, valueStart, valueLength);
  }
  return sum;
}

const messageItems: FuzzTarget = {
  name: 'message-items',
  run(input) {
    const which = (['nextKey', 'nextValue', 'nextEntry'] as const)[(input[0] ?? 0) % 3];
    if (input.length === 0 || which === undefined) return REJECTED;
    return readItems(around(input), input.byteOffset + 1, input.length - 1, which);
  },
};

/** The input is the memory of a ring, and behind it head and tail: both sides may be mad. */
const ringMemory: FuzzTarget = {
  name: 'ring-memory',
  repair(input) {
    const words = input.length >> 2;
    const view = new DataView(input.buffer, input.byteOffset, input.length);
    for (let word = 0, sequence = 0; word + 4 <= words; sequence++) {
      const length = view.getUint32(word * 4, true);
      view.setUint32(word * 4 + 4, sequence, true);
      view.setUint32(word * 4 + 8, 1, true);
      view.setUint32(word * 4 + 12, frameCheck(length, sequence, 1), true);
      const body = length & 0x7fff_ffff;
      if (body > RING_BYTES) return;
      word += frameBytes(body) >> 2;
    }
  },
  run(input) {
    if (input.length < 1032) return REJECTED;
    const memory = smallRing;
    new Uint8Array(memory.data).set(input.subarray(0, 1024));
    const view = new DataView(input.buffer, input.byteOffset, input.length);
    const control = new Int32Array(memory.control);
    Atomics.store(control, WORD_HEAD, view.getInt32(1024, true));
    Atomics.store(control, WORD_TAIL, 0);
    const consumer = new RingConsumer(memory);
    let sum = 0;
    for (let count = 0; consumer.tryRead(); count++) {
      const { frameStart, frameLength, bytes } = consumer;
      promise(frameStart >= 16 && frameStart + frameLength <= bytes.length, 'a frame lies outside');
      promise(count < 64, 'more frames than fit');
      sum = mixedBytes(sum, bytes, frameStart, frameLength);
    }
    return sum;
  },
};

const smallRing = allocateRing(1024, 1);

const msgpack: FuzzTarget = {
  name: 'msgpack',
  words: ['\xdd\xff\xff\xff\xff', '\xdf\x7f\xff\xff\xff', '\xc6\xff\xff\xff\xff', '\xd4r@', '\x91'],
  run(input) {
    const value = decodeMessage(around(input), input.byteOffset, input.length);
    const bytes = isPlain(value) ? encodeMessage(value) : new Uint8Array(0);
    if (bytes.length > 0) decodeMessage(bytes, 0, bytes.length);
    return typeof value;
  },
};

function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return value.length < 1000 && value.every((item) => isFlat(item));
  return isFlat(value);
}

function isFlat(value: unknown): boolean {
  return value === null || ['number', 'string', 'boolean'].includes(typeof value);
}

/** Numbers by field are an array as long as the highest field, which is bounded. */
const FIELDS_MAX = 64;

function proto(name: string, decode: (input: Buffer) => unknown): FuzzTarget {
  return {
    name,
    run(input) {
      const message = Buffer.from(input.buffer, input.byteOffset, input.length);
      return digestOf(decode(message), input);
    },
  };
}

/** Bytes must be views of the message, or copies no longer than it. */
function digestOf(value: unknown, input: Uint8Array): number {
  if (value instanceof Uint8Array) {
    promise(value.length <= Math.max(input.length, 4096), 'bytes longer than the message');
    return mixedBytes(1, value, 0, value.length);
  }
  if (typeof value === 'number') return mixed(2, value);
  if (typeof value === 'string') return mixed(3, value.length);
  if (Array.isArray(value)) {
    promise(
      value.length <= Math.max(input.length, FIELDS_MAX),
      'more parts than the message has bytes',
    );
    let sum = value.length;
    for (const part of value) sum = mixed(sum, digestOf(part, input));
    return sum;
  }
  if (typeof value !== 'object' || value === null || value instanceof Error) return 4;
  let sum = 5;
  for (const part of Object.values(value)) sum = mixed(sum, digestOf(part, input));
  return sum;
}

function decodeBatch(message: Buffer): unknown {
  const { run, conditions } = decodeBatchSetRequest(message);
  return { count: readRun(run, 0, run.length), conditions };
}

function decodeKeys(message: Buffer): unknown {
  const keys = decodeBatchGetRequest(message);
  const back = decodeBatchGetRequest(encodeBatchGetRequest(keys));
  promise(back.length === keys.length, 'keys are lost when written anew');
  return keys;
}

export const RPC_TARGETS: readonly FuzzTarget[] = [
  entryRun,
  ringMemory,
  requests,
  replies,
  messageItems,
  msgpack,
  proto('set-request', decodeSetRequest),
  proto('key-request', decodeKeyRequest),
  proto('batch-set-request', decodeBatch),
  proto('batch-get-request', decodeKeys),
  proto('scan-request', decodeScanRequest),
  proto('batch-set-response', decodeBatchSetResponse),
  proto('batch-get-response', decodeBatchGetResponse),
  proto('scan-response', decodeScanResponse),
  proto('numbers-response', decodeNumbers),
  proto('kill-worker-request', decodeKillWorkerRequest),
];
