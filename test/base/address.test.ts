import * as assert from 'uvu/assert';
import { formatAddress, parseAddress } from '../../src/base/address.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('address');

test('reads and writes names, IPv4 and IPv6', () => {
  assert.equal(parseAddress('127.0.0.1:8080'), { host: '127.0.0.1', port: 8080 });
  assert.equal(parseAddress('localhost:0'), { host: 'localhost', port: 0 });
  assert.equal(parseAddress('[::1]:65535'), { host: '::1', port: 65535 });
  for (const text of ['127.0.0.1:8080', 'kv.example:1', '[::]:0']) {
    assert.is(formatAddress(parseAddress(text)), text);
  }
});

test('refuses what is not HOST:PORT', () => {
  const bad = ['', '8080', ':8080', 'host', 'host:', 'host:x', 'host:65536', 'host:-1', '::1:80'];
  bad.push('[::1]', '[::1:80', 'a b:80', 'http://host:80', 'host:80/', 'host:123456');
  for (const text of bad) assert.throws(() => parseAddress(text), /must be HOST:PORT/);
});

run();
