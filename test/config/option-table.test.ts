import * as assert from 'uvu/assert';
import { isValid } from '../../src/config/option-schema.js';
import { CONFIG_PATHS, envNameOf, OPTION_OF } from '../../src/config/option-table.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('OPTIONS');

test('every default is valid and every help is one sentence', () => {
  assert.ok(CONFIG_PATHS.length > 30);
  for (const path of CONFIG_PATHS) {
    const option = OPTION_OF[path];
    assert.ok(isValid(option, option.default), path);
    assert.match(option.help, /^[A-Z].*\.$/, path);
  }
});

test('numbers are valid up to their bounds and not beyond', () => {
  for (const path of CONFIG_PATHS) {
    const option = OPTION_OF[path];
    if (option.type !== 'integer') continue;
    assert.ok(isValid(option, option.min) && isValid(option, option.max), path);
    for (const wrong of [option.min - 1, option.max + 1, option.min + 0.5, NaN, '1', null]) {
      assert.not.ok(isValid(option, wrong), `${path} ${wrong}`);
    }
  }
});

test('an option with a unit says it in its name', () => {
  for (const path of CONFIG_PATHS) {
    const option = OPTION_OF[path];
    if (option.type !== 'integer') continue;
    if (option.unit === 'bytes') assert.match(path, /[bB]ytes/);
    if (option.unit === 'ms') assert.match(path, /Ms(?:Max|Default)?$/);
  }
});

test('names in the environment are unique and in upper case', () => {
  const names = CONFIG_PATHS.map(envNameOf);
  assert.is(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^STORMKV(?:_[A-Z]+)+$/);
  assert.is(envNameOf('wal.syncIntervalMs'), 'STORMKV_WAL_SYNC_INTERVAL_MS');
});

test('addresses with an impossible port are refused', () => {
  const option = OPTION_OF['grpc.address'];
  assert.ok(isValid(option, 'localhost:65535'));
  for (const wrong of ['localhost:65536', 'localhost', ':80', 'a b:80', '::1:80', 'x:', 80]) {
    assert.not.ok(isValid(option, wrong), String(wrong));
  }
});

run();
