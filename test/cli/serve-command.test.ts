import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import * as assert from 'uvu/assert';
import { parseReadyLine, type ReadyInfo } from '../../src/cli/ready-line.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('stormkv serve');
const bin = resolve(import.meta.dirname, '..', '..', 'src', 'cli', 'stormkv.js');

function stormkv(...args: string[]) {
  return spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8', timeout: 20_000 });
}

/** Serves with these flags while `body` runs, then sends SIGTERM; gives the exit code. */
async function served(flags: string[], body: (info: ReadyInfo) => void): Promise<number | null> {
  const ports = ['--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0'];
  const args = [bin, 'serve', ...ports, ...flags];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(child, 'close');
  try {
    const [line] = await Promise.race([
      once(createInterface({ input: child.stdout }), 'line'),
      ended.then(([code]) => Promise.reject(new Error(`serve ended with ${code}`))),
    ]);
    const info = parseReadyLine(String(line));
    assert.ok(info, String(line));
    body(info as ReadyInfo);
    child.kill('SIGTERM');
    const [code] = await ended;
    return code;
  } finally {
    child.kill('SIGKILL');
  }
}

test('serves until SIGTERM, ends with 0, and finds its data again', () =>
  withTempDir(async (dir) => {
    const flags = ['--data-dir', join(dir, 'data'), '--shards', '2'];
    const first = await served(flags, (info) => {
      assert.is(info.shardCount, 2);
      assert.is(info.dataDir, join(dir, 'data'));
      assert.is(stormkv('put', 'k', 'grün', '--target', info.grpcAddress).status, 0);
    });
    assert.is(first, 0);
    const second = await served(flags, (info) => {
      const { stdout, status } = stormkv('get', 'k', '--target', info.grpcAddress);
      assert.equal([stdout, status], ['grün', 0]);
      assert.is(stormkv('get', 'other', '--target', info.grpcAddress).status, 3);
      // The data dir is in use.
      const other = stormkv('serve', ...flags, '--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0');
      assert.equal([other.stdout, other.status], ['', 1]);
      assert.match(other.stderr, /^Cannot start: /m);
    });
    assert.is(second, 0);
  }));

test('refuses a wrong file with all its faults and starts nothing', () =>
  withTempDir((dir) => {
    const file = join(dir, 'my.json');
    writeFileSync(file, '{ "wal": { "sync": "never", "sparesMax": -1 }, "walz": {} }');
    const { status, stdout, stderr } = stormkv('serve', '--config', file, '--data-dir', dir);
    assert.equal([status, stdout], [2, '']);
    assert.match(stderr, /has 3 faults:\n {2}- wal\.sync .*\n {2}- wal\.sparesMax .*\n {2}- walz/);
  }));

run();
