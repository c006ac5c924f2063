/** The library in a process that writes, syncs and loses power. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { DiskShim, writeServerConfig } from '../../src/chaos/disk-shim.js';
import { loadConfig } from '../../src/config/load-config.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('DiskShim');

/** Runs a script on such a disk until it asks for an order; its output, and the data dir. */
async function withDisk(
  script: string,
  orders: Parameters<DiskShim['order']>[0][],
  check: (data: string, output: string) => void,
): Promise<void> {
  await withTempDir(async (dir) => {
    const data = join(dir, 'data');
    mkdirSync(data);
    const shim = DiskShim.build(dir, data);
    if (typeof shim === 'string') {
      assert.match(shim, /no C compiler/);
      return;
    }
    const path = join(dir, 'script.mjs');
    const head = `
      import * as fs from 'node:fs';
      import { once } from 'node:events';
      const data = ${JSON.stringify(data)};
      const write = (fd, text, at) => fs.writeSync(fd, Buffer.from(text), 0, text.length, at);
      const attempt = (work) => {
        try { work(); return 'ok'; } catch (error) { return error.code; }
      };
      const order = async () => { console.log('ORDER'); await once(process.stdin, 'data'); };
      // Orders are obeyed in turn, so that the one for space tells that those before it were, too.
      const free = () => fs.statfsSync(data).bavail;
      const until = async (isTrue) => {
        while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
      };
      const death = () => until(() => false);
    `;
    writeFileSync(path, head + script);
    const child = spawn(process.execPath, [path], { env: { ...process.env, ...shim.env } });
    let output = '';
    const ended = new Promise<string | null>((resolve) => {
      child.on('close', (_, signal) => resolve(signal));
    });
    child.stderr.pipe(process.stderr);
    // It may be dead before it is told that the order was given.
    child.stdin.on('error', () => {});
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
      if (!String(chunk).includes('ORDER')) return;
      const next = orders.shift();
      if (next !== undefined) shim.order(next);
      child.stdin.write('done\n');
    });
    assert.is(await ended, 'SIGKILL', output);
    check(data, output);
    assert.throws(() => shim.order('full on'), /takes no orders/);
  });
}

test('loses with the power what was not synced: bytes, sizes and names', () =>
  withDisk(
    `const a = fs.openSync(data + '/a', 'wx+');
     write(a, 'old'.padEnd(6000, '.'), 0);
     fs.fdatasyncSync(a);
     fs.writeFileSync(data + '/gone', 'x');
     const dir = fs.openSync(data, 'r');
     fs.fsyncSync(dir);
     write(a, 'new', 0);
     write(a, 'more', 9000);
     fs.writeFileSync(data + '/b', 'unsynced name');
     fs.renameSync(data + '/b', data + '/c');
     fs.linkSync(data + '/c', data + '/d');
     fs.unlinkSync(data + '/gone');
     await order();
     await death();`,
    ['drop all'],
    (data) => {
      assert.is(readFileSync(join(data, 'a'), 'latin1'), 'old'.padEnd(6000, '.'));
      const names = ['b', 'c', 'd', 'gone'].map((name) => existsSync(join(data, name)));
      assert.equal(names, [false, false, false, true]);
    },
  ));

test('keeps what was synced, and of the rest any sectors', () =>
  withDisk(
    `const a = fs.openSync(data + '/a', 'wx+');
     write(a, 'o'.repeat(64 * 1024), 0);
     fs.fdatasyncSync(a);
     fs.renameSync(data + '/a', data + '/b');
     fs.fsyncSync(fs.openSync(data, 'r'));
     write(a, 'n'.repeat(64 * 1024), 0);
     await order();
     await death();`,
    ['drop some 5'],
    (data) => {
      const text = readFileSync(join(data, 'b'), 'latin1');
      assert.is(text.length, 64 * 1024);
      const sectors = text.match(/.{512}/g) ?? [];
      const kinds = new Set(sectors.map((sector) => [...new Set(sector)].join('')));
      assert.equal(kinds, new Set(['o', 'n']), 'whole sectors, old and new ones');
    },
  ));

test('fills up: no new bytes and no new files, until there is space again', () =>
  withDisk(
    `const a = fs.openSync(data + '/a', 'wx+');
     write(a, 'x'.repeat(5000), 0);
     await order();
     await until(() => free() === 0);
     console.log(attempt(() => write(a, 'y', 0)), attempt(() => write(a, 'y', 5000)));
     console.log(attempt(() => fs.openSync(data + '/b', 'wx')));
     await order();
     await until(() => free() > 0);
     console.log(attempt(() => write(a, 'y', 5000)));
     await order();
     await death();`,
    ['full on', 'full off', 'drop all'],
    (_, output) => assert.match(output, /ok ENOSPC\nENOSPC\nORDER\nok\n/),
  ));

test('fails a sync once, and what that was to save is lost although the next one succeeds', () =>
  withDisk(
    `const a = fs.openSync(data + '/a', 'wx+');
     write(a, 'first', 0);
     fs.fdatasyncSync(a);
     fs.fsyncSync(fs.openSync(data, 'r'));
     write(a, 'later', 0);
     await order();
     await order();
     await until(() => free() === 0);
     console.log(attempt(() => fs.fdatasyncSync(a)), attempt(() => fs.fdatasyncSync(a)));
     await order();
     await death();`,
    ['fail-sync', 'full on', 'drop all'],
    (data, output) => {
      assert.match(output, /EIO ok\n/);
      assert.is(readFileSync(join(data, 'a'), 'latin1'), 'first');
    },
  ));

test('comes with a configuration that the server takes', () =>
  withTempDir(async (dir) => {
    const name = writeServerConfig(dir);
    const file = { name, text: readFileSync(name, 'utf8') };
    assert.is(loadConfig({ file, env: {}, flags: {} }).config.admin.chaos, true);
  }));

run();
