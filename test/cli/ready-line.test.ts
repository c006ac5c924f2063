import * as fc from 'fast-check';
import * as assert from 'uvu/assert';
import { formatReadyLine, parseReadyLine, type ReadyInfo } from '../../src/cli/ready-line.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('The ready line');

const INFO: ReadyInfo = {
  version: '0.0.1',
  grpcAddress: '127.0.0.1:8081',
  furtherGrpcAddresses: [],
  httpAddress: '[::1]:8080',
  shardCount: 4,
  dataDir: './data',
  recoveredRecords: 12_345,
  startedMs: 87,
  pid: 123,
  refusedShards: [],
};

test('looks as documented', () => {
  assert.is(
    formatReadyLine(INFO),
    'stormkv 0.0.1 ready  grpc 127.0.0.1:8081  http [::1]:8080  shards 4  data ./data  ' +
      'recovered 12,345 records in 87 ms  pid 123',
  );
  const other = { ...INFO, recoveredRecords: 1, startedMs: 1234.5, refusedShards: [1, 3] };
  assert.match(formatReadyLine(other), /recovered 1 record in 1,235 ms {2}pid 123 {2}refused 1,3$/);
});

test('can be read back, whatever the data dir is called', () => {
  const names = fc.oneof(
    fc.string({ minLength: 1, unit: 'grapheme' }),
    fc.constantFrom('/a b/c', 'x  pid 7', '"', 'a\nb', 'C:\\d', '/größe', '\u2028'),
  );
  const any = fc.record({
    version: fc.constantFrom('0.0.1', '1.0.0-rc.1+x'),
    grpcAddress: fc.constant('127.0.0.1:1'),
    furtherGrpcAddresses: fc.constantFrom<string[]>([], ['127.0.0.1:3', '127.0.0.1:4']),
    httpAddress: fc.constant('[::1]:2'),
    shardCount: fc.integer({ min: 1, max: 256 }),
    dataDir: names,
    recoveredRecords: fc.nat(1e12),
    startedMs: fc.nat(1e6),
    pid: fc.nat(4e6),
    refusedShards: fc.array(fc.nat(255), { maxLength: 3 }),
  });
  const property = fc.property(any, (drawn) => {
    const info = { ...drawn };
    const line = formatReadyLine(info);
    assert.not.match(line, '\n');
    assert.equal(parseReadyLine(line), info);
    assert.equal(parseReadyLine(`${line}\n`), info);
  });
  return fc.assert(property);
});

test('is not seen in other lines', () => {
  const line = formatReadyLine(INFO);
  for (const other of ['', 'stormkv ready', `x${line}`, line.slice(0, -8), `${line} x`]) {
    assert.is(parseReadyLine(other), undefined, other);
  }
});

run();
