import * as assert from 'uvu/assert';
import type { PartialConfig } from '../../src/config/config.js';
import { ConfigError, configWith } from '../../src/config/load-config.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('relationFaults');
const MIB = 1_048_576;

/** Asserts that the options have exactly this fault; the pattern matches its beginning. */
function refuses(options: PartialConfig, ...patterns: RegExp[]): void {
  try {
    configWith(options);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    assert.is(error.faults.length, patterns.length, error.message);
    patterns.forEach((pattern, i) => {
      assert.match(error.faults[i] ?? '', pattern);
    });
    return;
  }
  assert.unreachable('the options were taken');
}

test('a batch must have room for the largest single write', () => {
  const limits = { keyBytesMax: 100, valueBytesMax: 5000 };
  refuses(
    { limits: { ...limits, batchBytesMax: 5119 } },
    /^limits\.batchBytesMax must be at least 5120 \(.*\): found 5119$/,
  );
  configWith({ limits: { ...limits, batchBytesMax: 5120 } });
});

test('a WAL segment must have room for the largest frame', () => {
  const least = 5 * MIB + 16_384;
  refuses(
    { wal: { segmentBytes: least - 4096 } },
    /^wal\.segmentBytes must be at least 5259264 \(wal\.groupBytesMax \+ limits\.batchBytesMax/,
  );
  configWith({ wal: { segmentBytes: least } });
});

test('a WAL segment must be made of whole pages', () => {
  refuses({ wal: { segmentBytes: 16 * MIB - 1 } }, /^wal\.segmentBytes must be a multiple of 4096/);
});

test('the live WAL must span two segments', () => {
  refuses(
    { wal: { liveBytesMax: 32 * MIB - 1 } },
    /^wal\.liveBytesMax must be at least 33554432 \(2 × wal\.segmentBytes\): found 33554431$/,
  );
  configWith({ wal: { liveBytesMax: 32 * MIB } });
});

test('the doors must not share an address, unless the port is chosen freely', () => {
  const address = 'localhost:9000';
  refuses({ grpc: { address }, http: { address } }, /must differ: both are "localhost:9000"$/);
  configWith({ grpc: { address: 'localhost:0' }, http: { address: 'localhost:0' } });
});

test('a relation is not judged by an option that is wrong by itself', () => {
  refuses({ wal: { segmentBytes: 1 } }, /^wal\.segmentBytes must be a whole number/);
  refuses(
    { limits: { batchBytesMax: 4096 }, grpc: { address: 'nonsense' } },
    /^grpc\.address must be an address HOST:PORT/,
    /^limits\.batchBytesMax must be at least/,
  );
});

run();
