import { once } from 'node:events';
import { linkSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import * as assert from 'uvu/assert';
import { messageOf } from '../../src/base/errors.js';
import { askOwner, listenAsOwner } from '../../src/supervisor/owner-socket.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('owner socket');
const OWNER = { pid: 4711, host: 'storm-1', startedAt: '2024-01-01T00:00:00.000Z' };

test('answers who its owner is, to many at a time', () =>
  withTempDir(async (dir) => {
    const server = await listenAsOwner(`${dir}/s`, OWNER);
    const lives = await Promise.all(Array.from({ length: 100 }, () => askOwner(`${dir}/s`)));
    for (const life of lives) assert.equal(life, { kind: 'alive', owner: OWNER });
    server.close();
    await once(server, 'close');
  }));

test('tells the dead from those that never were', () =>
  withTempDir(async (dir) => {
    const server = await listenAsOwner(`${dir}/s`, OWNER);
    linkSync(`${dir}/s`, `${dir}/link`);
    server.close();
    await once(server, 'close');
    writeFileSync(`${dir}/plain`, '');
    assert.equal(await askOwner(`${dir}/link`), { kind: 'dead' });
    assert.equal(await askOwner(`${dir}/plain`), { kind: 'dead' });
    assert.equal(await askOwner(`${dir}/none`), { kind: 'gone' });
  }));

test('takes for alive whatever accepts, also without an answer or with a strange one', () =>
  withTempDir(async (dir) => {
    const answers = ['', 'not JSON\n', '7\n', '{"pid":"x"}\n', 'x'.repeat(100_000)];
    for (const [i, answer] of answers.entries()) {
      const server = createServer((peer: Socket) => {
        peer.on('error', () => undefined);
        peer.end(answer);
      });
      server.listen(`${dir}/s${i}`);
      await once(server, 'listening');
      assert.equal(await askOwner(`${dir}/s${i}`), { kind: 'alive', owner: undefined });
      server.close();
    }
    const silent = createServer(() => undefined).listen(`${dir}/silent`);
    await once(silent, 'listening');
    assert.equal(await askOwner(`${dir}/silent`), { kind: 'alive', owner: undefined });
    silent.close();
  }));

test('rejects where neither life nor death is proven', () =>
  withTempDir(async (dir) => {
    writeFileSync(`${dir}/file`, '');
    assert.match(await failureOf(askOwner(`${dir}/file/s`)), /ENOTDIR/);
    assert.match(await failureOf(listenAsOwner(`${dir}/file`, OWNER)), /EADDRINUSE/);
  }));

function failureOf(work: Promise<unknown>): Promise<string> {
  return work.then(() => 'no failure', messageOf);
}

run();
