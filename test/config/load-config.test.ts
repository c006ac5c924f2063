import * as assert from 'uvu/assert';
import { ConfigError, configWith, loadConfig } from '../../src/config/load-config.js';
import { CONFIG_PATHS, envNameOf, OPTION_OF } from '../../src/config/option-table.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('loadConfig');

/** The faults that a load throws; none fails the test. */
function faultsOf(load: () => unknown): readonly string[] {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  throw new Error('The configuration was taken');
}

const fileOf = (text: string) => ({ name: 'my.json', text });

test('gives the defaults, frozen, where no source says anything', () => {
  const { config, origins, warnings } = loadConfig({});
  assert.is(config.wal.sync, 'always');
  assert.is(config.limits.valueBytesMax, 1_048_576);
  assert.is(origins['wal.sync'], 'default');
  assert.equal(warnings, []);
  assert.ok(Object.isFrozen(config));
  assert.ok(Object.isFrozen(config.wal));
  assert.ok(Object.isFrozen(config.http.hostsAllowed));
  for (const path of CONFIG_PATHS) {
    const [section = '', name = ''] = path.split('.');
    const found = (config as unknown as Record<string, Record<string, unknown>>)[section]?.[name];
    assert.equal(found, OPTION_OF[path].default, path);
  }
});

test('prefers flags over the environment over the file over defaults', () => {
  const file = fileOf('{"shards":{"count":3},"data":{"dir":"f"},"grpc":{"address":"localhost:1"}}');
  const env = { STORMKV_SHARDS_COUNT: '4', STORMKV_DATA_DIR: 'e', OTHER: 'x' };
  const { config, origins } = loadConfig({ file, env, flags: { 'shards.count': '5' } });
  assert.is(config.shards.count, 5);
  assert.is(config.data.dir, 'e');
  assert.is(config.grpc.address, 'localhost:1');
  assert.is(origins['shards.count'], '--shards');
  assert.is(origins['data.dir'], 'STORMKV_DATA_DIR');
  assert.is(origins['grpc.address'], 'my.json line 1, column 60');
  assert.is(origins['http.address'], 'default');
});

test('lists all faults of all sources, each with place, expectation and finding', () => {
  const text = `{
  "$schema": "./kv.config.schema.json",
  "wal": { "sync": "allways", "sparesMax": 1.5 },
  "limits": 7,
  "limitz": {},
  "table": { "blokBytes": 1 },
  "read": { "quite-different": 1 },
  "http": { "originsAllowed": ["https://a.example/path"] }
}`;
  const env = { STORMKV_ROUTER_THREADS: 'two', STORMKV_WAL_SINC: 'os' };
  const flags = { 'grpc.address': '127.0.0.1', 'data.dir': '' };
  assert.equal(
    faultsOf(() => loadConfig({ file: fileOf(text), env, flags })),
    [
      'wal.sync (my.json line 3, column 20) must be one of "always", "interval", "os": ' +
        'found "allways"',
      'wal.sparesMax (my.json line 3, column 44) must be a whole number of files from 0 to 64: ' +
        'found 1.5',
      'limits (my.json line 4, column 13) must be an object: found 7',
      'limitz (my.json line 5, column 13) is not an option: did you mean limits?',
      'table.blokBytes (my.json line 6, column 27) is not an option: ' +
        'did you mean table.blockBytes?',
      'read.quite-different (my.json line 7, column 32) is not an option',
      'http.originsAllowed (my.json line 8, column 31) must be a list of origins without a path, ' +
        'like ["https://dash.example"]: found ["https://a.example/path"]',
      'router.threads (STORMKV_ROUTER_THREADS) must be a whole number of threads from 1 to 8: ' +
        'found "two"',
      'STORMKV_WAL_SINC is not an option: did you mean STORMKV_WAL_SYNC?',
      'grpc.address (--grpc) must be an address HOST:PORT, like "127.0.0.1:8080" or "[::1]:0": ' +
        'found "127.0.0.1"',
      'data.dir (--data-dir) must be a text that is not empty: found ""',
    ],
  );
});

test('a value that a stronger source overrides must be valid all the same', () => {
  const file = fileOf('{"shards":{"count":-1}}');
  const faults = faultsOf(() => loadConfig({ file, flags: { 'shards.count': '2' } }));
  assert.is(faults.length, 1);
  assert.match(faults[0] ?? '', /shards\.count .* found -1/);
});

test('names line and column of malformed JSON, and still lists the faults of other sources', () => {
  const faults = faultsOf(() =>
    loadConfig({ file: fileOf('{\n  "wal": { "sync": }\n}'), env: { STORMKV_SHARDS_COUNT: 'x' } }),
  );
  assert.is(
    faults[0],
    'my.json is not well-formed JSON: line 2, column 20: a value is expected: found "}"',
  );
  assert.is(faults.length, 2);
});

test('a file that holds something else than an object is refused', () => {
  for (const text of ['[]', '3', 'null', '"wal"']) {
    assert.match(faultsOf(() => loadConfig({ file: fileOf(text) }))[0] ?? '', 'hold an object');
  }
});

test('keys of the object prototype are unknown options like any other', () => {
  const faults = faultsOf(() =>
    loadConfig({ file: fileOf('{"__proto__":{"a":1},"wal":{"constructor":1}}') }),
  );
  assert.equal(faults, [
    '__proto__ (my.json line 1, column 14) is not an option',
    'wal.constructor (my.json line 1, column 43) is not an option',
  ]);
});

test('every option can be set from the environment, as text', () => {
  const env: Record<string, string> = {};
  for (const path of CONFIG_PATHS) {
    const value = OPTION_OF[path].default;
    env[envNameOf(path)] = Array.isArray(value) ? value.join(',') : String(value);
  }
  const { config, origins } = loadConfig({ env });
  assert.equal(config, loadConfig({}).config);
  assert.is(origins['limits.keyBytesMax'], 'STORMKV_LIMITS_KEY_BYTES_MAX');
  // Empty variables count as absent.
  assert.is(origins['http.hostsAllowed'], 'default');
});

test('reads lists and booleans from the environment', () => {
  const env = {
    STORMKV_HTTP_HOSTS_ALLOWED: 'a.example, b.example:80',
    STORMKV_SECURITY_ALLOW_PLAIN_TEXT_OFF_LOOPBACK: 'true',
    STORMKV_HTTP_ADDRESS: '0.0.0.0:8080',
  };
  const { config } = loadConfig({ env });
  assert.equal(config.http.hostsAllowed, ['a.example', 'b.example:80']);
  assert.is(config.http.address, '0.0.0.0:8080');
  const wrong = { STORMKV_SECURITY_ALLOW_PLAIN_TEXT_OFF_LOOPBACK: 'yes' };
  assert.match(faultsOf(() => loadConfig({ env: wrong }))[0] ?? '', 'found "yes"');
});

test('ignores what orchestrators set and warns of what it does not know', () => {
  const env = {
    STORMKV_PORT: 'tcp://10.0.0.1:8081',
    STORMKV_PORT_8081_TCP: 'x',
    STORMKV_SERVICE_HOST: '10.0.0.1',
    STORMKV_CONFIG: 'x.json',
    STORMKV_COLOUR_OF_THE_HOUSE: 'red',
  };
  const { warnings } = loadConfig({ env });
  assert.equal(warnings, ['STORMKV_COLOUR_OF_THE_HOUSE is no variable of stormkv: ignored']);
});

test('configWith takes a part, checks it like a file and leaves the caller its objects', () => {
  const hostsAllowed = ['a.example'];
  const config = configWith({ http: { hostsAllowed }, wal: { sync: 'os' } });
  hostsAllowed.push('b.example');
  assert.equal(config.http.hostsAllowed, ['a.example']);
  assert.is(config.wal.sync, 'os');
  assert.equal(
    faultsOf(() => configWith({ wal: { sparesMax: 65 } })),
    ['wal.sparesMax must be a whole number of files from 0 to 64: found 65'],
  );
});

test('an error speaks of one fault or of many', () => {
  assert.throws(
    () => configWith({ shards: { count: 1000 } }),
    (error: Error) => error.message.startsWith('The configuration has 1 fault:\n  - shards.count'),
  );
});

run();
