import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { loadConfig } from '../../src/config/load-config.js';
import { CONFIG_PATHS } from '../../src/config/option-table.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Files made from the option table');
const dist = resolve(import.meta.dirname, '..', '..');
const root = resolve(dist, '..');

test('kv.config.json, its schema and docs/CONFIGURATION.md are current', () => {
  const script = join(root, 'scripts', 'make-schema.mjs');
  const args = [script, '--check', '--dist', relative(root, dist)];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.is(stderr, '');
  assert.is(status, 0);
});

test('kv.config.json names every option and is taken without a fault', () => {
  const text = readFileSync(join(root, 'kv.config.json'), 'utf8');
  const { config, origins } = loadConfig({ file: { name: 'kv.config.json', text } });
  assert.equal(config, loadConfig({}).config);
  for (const path of CONFIG_PATHS) assert.match(origins[path], 'kv.config.json line', path);
});

test('the schema knows every option, allows no other, and has bounds and help', () => {
  const schema = JSON.parse(readFileSync(join(root, 'kv.config.schema.json'), 'utf8'));
  assert.is(schema.additionalProperties, false);
  for (const path of CONFIG_PATHS) {
    const [section = '', name = ''] = path.split('.');
    assert.is(schema.properties[section].additionalProperties, false, path);
    assert.ok(schema.properties[section].properties[name].description, path);
  }
  const { sparesMax } = schema.properties.wal.properties;
  assert.equal([sparesMax.type, sparesMax.minimum, sparesMax.maximum], ['integer', 0, 64]);
});

run();
