import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { type ConfigFiles, serveConfig } from '../../src/cli/serve-config.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('serveConfig');

/** Files that hold these texts and no others. */
function filesOf(texts: Record<string, string>): ConfigFiles {
  const readIfAny = (path: string) => {
    const text = texts[path];
    return text === undefined ? undefined : Buffer.from(text);
  };
  const read = (path: string) => {
    const content = readIfAny(path);
    if (content === undefined) throw new StormError('INVALID_ARGUMENT', `Cannot read ${path}`);
    return content;
  };
  return { read, readIfAny };
}

const shards = (count: number) => JSON.stringify({ shards: { count } });
const FILES = filesOf({ 'kv.config.json': shards(3), 'a.json': shards(4), 'b.json': shards(5) });

test('reads --config, else STORMKV_CONFIG, else kv.config.json where there is one', () => {
  const env = { STORMKV_CONFIG: 'b.json' };
  assert.is(serveConfig({ config: 'a.json' }, env, FILES).config.shards.count, 4);
  assert.is(serveConfig({}, env, FILES).config.shards.count, 5);
  assert.is(serveConfig({}, { STORMKV_CONFIG: '' }, FILES).config.shards.count, 3);
  assert.is(serveConfig({}, {}, filesOf({})).config.shards.count, 0);
});

test('a file that was named must exist', () => {
  assert.throws(() => serveConfig({ config: 'c.json' }, {}, FILES), /Cannot read c\.json/);
  assert.throws(() => serveConfig({}, { STORMKV_CONFIG: 'c.json' }, FILES), /Cannot read c\.json/);
});

test('flags win over everything', () => {
  const flags = { dataDir: '/d', shards: '7', grpc: 'localhost:0', http: '[::1]:0' };
  const { config } = serveConfig(flags, { STORMKV_SHARDS_COUNT: '6' }, FILES);
  assert.is(config.data.dir, '/d');
  assert.is(config.shards.count, 7);
  assert.is(config.grpc.address, 'localhost:0');
  assert.is(config.http.address, '[::1]:0');
});

test('faults of flags, environment and file are listed together', () => {
  const files = filesOf({ 'kv.config.json': '{"wal":{"snyc":"os"}}' });
  assert.throws(
    () => serveConfig({ shards: 'x' }, { STORMKV_ROUTER_THREADS: '0' }, files),
    (error: Error) => {
      assert.match(error.message, 'has 3 faults');
      assert.match(error.message, 'wal.snyc (kv.config.json line 1, column 16) is not an option');
      return true;
    },
  );
});

run();
