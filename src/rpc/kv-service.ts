/** The methods of kv.Kv as functions from message to message, whatever carries them. */
import { StormError } from '../base/errors.js';
import {
  conditionOf,
  decodeBatchGetRequest,
  decodeBatchSetRequest,
  encodeBatchGetResponse,
  encodeBatchSetResponse,
} from './batch-codec.js';
import { decodeKeyRequest, decodeSetRequest, encodeGetResponse } from './kv-codec.js';
import type { KvOperations } from './kv-operations.js';
import { ProtoWriter } from './proto-writer.js';

export type Reply = (error: StormError | undefined, response: Buffer) => void;

export interface UnaryMethod<Operations = KvOperations> {
  /** Its failures say whether they may have been applied. */
  readonly isWrite: boolean;
  /** Throws what is wrong with the message. */
  call(operations: Operations, message: Buffer, timeoutMs: number, reply: Reply): void;
}

const EMPTY = Buffer.alloc(0);
const NOT_FOUND = new StormError('NOT_FOUND', 'The key has no value');

const set: UnaryMethod = {
  isWrite: true,
  call(kv, message, timeoutMs, reply) {
    const { key, value, ttlMs, ifAbsent, ifVersion, wantVersion } = decodeSetRequest(message);
    const version = conditionOf(ifAbsent, ifVersion);
    // Most writes have no options, and need not pay for an object of them.
    const options =
      ttlMs === 0 && version === undefined ? undefined : { ttlMs, ifVersion: version };
    kv.set(
      key,
      value,
      timeoutMs,
      (error, sequence) => reply(error, wantVersion ? numbers(sequence) : EMPTY),
      options,
    );
  },
};

const remove: UnaryMethod = {
  isWrite: true,
  call(kv, message, timeoutMs, reply) {
    const { key, number: ifVersion } = decodeKeyRequest(message);
    const options = ifVersion === 0 ? undefined : { ifVersion };
    kv.delete(key, timeoutMs, (error) => reply(error, EMPTY), options);
  },
};

const get: UnaryMethod = {
  isWrite: false,
  call(kv, message, timeoutMs, reply) {
    const { key, number: wantVersion } = decodeKeyRequest(message);
    kv.get(key, timeoutMs, (error, value, sequence) => {
      if (error !== undefined) reply(error, EMPTY);
      else if (value === undefined) reply(NOT_FOUND, EMPTY);
      else if (wantVersion === 0) reply(undefined, encodeGetResponse(value));
      else reply(undefined, Buffer.concat([encodeGetResponse(value), numbers(0, sequence)]));
    });
  },
};

const batchSet: UnaryMethod = {
  isWrite: true,
  call(kv, message, timeoutMs, reply) {
    kv.batchSet(decodeBatchSetRequest(message), timeoutMs, (error, result) =>
      reply(error, error === undefined ? encodeBatchSetResponse(result) : EMPTY),
    );
  },
};

const batchGet: UnaryMethod = {
  isWrite: false,
  call(kv, message, timeoutMs, reply) {
    kv.batchGet(decodeBatchGetRequest(message), timeoutMs, (error, results) =>
      reply(error, error === undefined ? encodeBatchGetResponse(results) : EMPTY),
    );
  },
};

const expire: UnaryMethod = {
  isWrite: true,
  call(kv, message, timeoutMs, reply) {
    const { key, number: ttlMs } = decodeKeyRequest(message);
    kv.expire(key, ttlMs, timeoutMs, (error, sequence) => {
      if (error === undefined && sequence === 0) reply(NOT_FOUND, EMPTY);
      else reply(error, numbers(sequence));
    });
  },
};

const ttl: UnaryMethod = {
  isWrite: false,
  call(kv, message, timeoutMs, reply) {
    const { key } = decodeKeyRequest(message);
    kv.ttl(key, timeoutMs, (error, found) => {
      if (error !== undefined) reply(error, EMPTY);
      else if (found === undefined) reply(NOT_FOUND, EMPTY);
      else reply(undefined, numbers(found.remainingMs, found.sequence));
    });
  },
};

const deletePrefix: UnaryMethod = {
  isWrite: true,
  call(kv, message, timeoutMs, reply) {
    const { key: prefix, number: dryRun } = decodeKeyRequest(message);
    kv.deletePrefix(prefix, { dryRun: dryRun !== 0 }, timeoutMs, (error, count) =>
      reply(error, numbers(count)),
    );
  },
};

/** All but Scan, which streams. */
export const UNARY_METHODS = {
  Set: set,
  Get: get,
  Delete: remove,
  BatchSet: batchSet,
  BatchGet: batchGet,
  Expire: expire,
  Ttl: ttl,
  DeletePrefix: deletePrefix,
} as const satisfies Record<string, UnaryMethod>;

/** A message of numbers in the fields 1, 2 … */
function numbers(...values: number[]): Buffer {
  const writer = new ProtoWriter(32);
  values.forEach((value, i) => {
    writer.number(i + 1, value);
  });
  return writer.resultView();
}
