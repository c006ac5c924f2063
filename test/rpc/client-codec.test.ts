import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { RunBuilder } from '../../src/base/run-builder.js';
import { VersionConflict } from '../../src/base/version-conflict.js';
import {
  decodeBatchGetRequest,
  decodeBatchSetRequest,
  encodeBatchGetResponse,
  encodeBatchSetResponse,
} from '../../src/rpc/batch-codec.js';
import {
  decodeBatchGetResponse,
  decodeBatchSetResponse,
  encodeBatchGetRequest,
  encodePackedBatch,
} from '../../src/rpc/client-codec.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite("The client's codec");

test('the server reads a packed batch as it was', () => {
  const builder = new RunBuilder();
  builder.put(Buffer.from('k'), Buffer.alloc(70_000, 1));
  const message = encodePackedBatch(builder.runView());
  assert.equal(Buffer.from(decodeBatchSetRequest(message).run), Buffer.from(builder.runView()));
});

test('reads every field of an answer to a batch', () => {
  const busy = new StormError('RESOURCE_EXHAUSTED', 'busy', { retryAfterMs: 12 });
  const lost = new StormError('UNAVAILABLE', 'lost', { outcome: 'unknown' });
  const errors = [
    { index: 0, error: busy },
    { index: 5, error: lost },
    { index: 6, error: new VersionConflict(7) },
    { index: 0xffff_ffff, error: new StormError('INVALID_ARGUMENT', 'malformed') },
  ];
  const { written, errors: found } = decodeBatchSetResponse(
    encodeBatchSetResponse({ written: 300, errors }),
  );
  assert.is(written, 300);
  assert.equal(
    found.map(({ index, error: { code, message, outcome, retryAfterMs } }) => [
      index,
      code,
      message,
      outcome,
      retryAfterMs,
    ]),
    errors.map(({ index, error: { code, message, outcome, retryAfterMs } }) => [
      index,
      code,
      message,
      outcome,
      retryAfterMs,
    ]),
  );
  assert.ok(found[2]?.error instanceof VersionConflict);
});

test('keys and values of many gets survive, in order', () => {
  const keys = ['a', '', 'ü'].map((key) => Buffer.from(key));
  assert.equal(decodeBatchGetRequest(encodeBatchGetRequest(keys)).map(Buffer.from), keys);
  const results = [
    { value: Buffer.from('v'), sequence: 9 },
    undefined,
    { value: Buffer.alloc(0), sequence: 2 ** 40 },
  ];
  const found = decodeBatchGetResponse(encodeBatchGetResponse(results));
  assert.equal(
    found.map((result) => result && [Buffer.from(result.value), result.version]),
    results.map((result) => result && [result.value, result.sequence]),
  );
});

test('refuses what is no message', () => {
  assert.throws(() => decodeBatchSetResponse(Uint8Array.of(0x12, 5, 1)), /Malformed protobuf/);
  assert.throws(() => decodeBatchGetResponse(Uint8Array.of(0x0a, 0xff)), /Malformed protobuf/);
});

run();
