import { status } from '@grpc/grpc-js';
import * as assert from 'uvu/assert';
import { ERROR_CODES, StormError } from '../../src/base/errors.js';
import {
  codeOfStatus,
  errorMetadata,
  errorOfStatus,
  GRPC_STATUS_OF,
} from '../../src/rpc/status-map.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('status-map');

test('every code of ours comes back through gRPC, exact with its metadata', () => {
  for (const code of ERROR_CODES) {
    const number = GRPC_STATUS_OF[code];
    assert.is(typeof status[number], 'string', `${code} is a status of gRPC`);
    assert.not.equal(number, status.OK);
    assert.is(codeOfStatus(number, code), code);
    if (code !== 'WRONG_SHARD') assert.is(codeOfStatus(number), code);
  }
  assert.is(GRPC_STATUS_OF.DATA_CORRUPTION, status.DATA_LOSS);
  assert.is(GRPC_STATUS_OF.RESOURCE_EXHAUSTED, status.RESOURCE_EXHAUSTED);
  assert.is(GRPC_STATUS_OF.UNAVAILABLE, status.UNAVAILABLE);
  assert.is(GRPC_STATUS_OF.FAILED_PRECONDITION, status.FAILED_PRECONDITION);
});

test('every status of gRPC, and any other number, is a code of ours', () => {
  for (let number = -1; number < 20; number++) {
    assert.ok(ERROR_CODES.includes(codeOfStatus(number)), String(number));
  }
  assert.is(codeOfStatus(status.DATA_LOSS), 'DATA_CORRUPTION');
  assert.is(codeOfStatus(99), 'INTERNAL');
  assert.is(codeOfStatus(status.NOT_FOUND, 'NONSENSE'), 'NOT_FOUND');
  assert.is(codeOfStatus(status.NOT_FOUND, 'INTERNAL'), 'NOT_FOUND', 'the status wins');
});

test('carries hint and outcome of a write; without metadata a write is unknown', () => {
  const error = new StormError('UNAVAILABLE', 'down', {
    outcome: 'not-applied',
    retryAfterMs: 1.2,
  });
  const write = new Map(errorMetadata(error, true));
  assert.equal(
    [...write],
    [
      ['stormkv-code', 'UNAVAILABLE'],
      ['stormkv-outcome', 'not-applied'],
      ['grpc-retry-pushback-ms', '2'],
    ],
  );
  assert.not(new Map(errorMetadata(error, false)).has('stormkv-outcome'));
  const back = errorOfStatus(14, 'down', (name) => write.get(name));
  assert.equal([back.code, back.outcome, back.retryAfterMs], ['UNAVAILABLE', 'not-applied', 2]);
  const bare = errorOfStatus(14, 'connection lost', () => undefined);
  assert.equal([bare.outcome, bare.retryAfterMs], ['unknown', undefined]);
});

run();
