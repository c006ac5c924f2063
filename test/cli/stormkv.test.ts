import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.js';

const { test, run } = suite('stormkv');
const dist = resolve(import.meta.dirname, '..', '..');
const bin = resolve(dist, 'src', 'cli', 'stormkv.js');

function call(args: readonly string[]) {
  return spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8' });
}

test('prints the version of its package', () => {
  const text = readFileSync(resolve(dist, '..', 'package.json'), 'utf8');
  const { stdout, stderr, status } = call(['--version']);
  assert.is(stdout, `${JSON.parse(text).version}\n`);
  assert.is(stderr, '');
  assert.is(status, 0);
});

test('knows its commands', () => {
  const { stdout, status } = call(['--help']);
  assert.is(status, 0);
  for (const name of ['serve', 'put', 'get', 'del']) {
    assert.match(stdout, new RegExp(`^  ${name} `, 'm'));
  }
});

test('exits with 2 after a wrong command line and lists the faults of a configuration', () => {
  assert.is(call(['sevre']).status, 2);
  const { status, stdout, stderr } = call(['serve', '--shards', 'x', '--grpc', 'y', '--http', 'z']);
  assert.is(status, 2);
  assert.is(stdout, '');
  assert.match(stderr, /^stormkv: The configuration has 3 faults:\n( {2}- .*\n){3}$/);
});

test('refuses an argument that is not UTF-8, but takes a real replacement character', () => {
  // A shell builds the argument, because Node itself could only pass valid text on.
  const script = `exec "$0" "$1" get "$(printf '%b' "$2")" --target 127.0.0.1:1`;
  const status = (key: string) =>
    spawnSync('sh', ['-c', script, process.execPath, bin, key]).status;
  assert.is(status('a\\0377'), 2);
  assert.is(status('a\\0357\\0277\\0275'), 4);
});

run();
