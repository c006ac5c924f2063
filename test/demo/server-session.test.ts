import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { ServerSession } from '../../src/demo/server-session.js';
import { suite } from '../harness/suite.js';
import { fakeRig, turnOfLoop } from './demo-rig.js';

const { test, run } = suite('ServerSession');

async function messageOfRejection(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
  throw new Error('It did not reject');
}

test('lets callers wait until the server is up, and again while it restarts', async () => {
  const { session, store } = fakeRig();
  const early = session.current();
  await session.start();
  const first = await early;
  assert.is(await session.current(), first);
  assert.is(session.shardCount, 3);
  const restart = session.restart('SIGKILL');
  const between = session.current();
  const recovery = await restart;
  assert.ok(recovery.downMs > 0);
  assert.equal([recovery.startedMs, recovery.recoveredRecords], [7, 0]);
  assert.not.equal(await between, first);
  assert.equal([store.starts, store.signals], [2, ['SIGKILL']]);
});

test('doors of a life that is over fail', async () => {
  const { session } = fakeRig();
  await session.start();
  const { grpc } = await session.current();
  await grpc.put('k', Buffer.from('v'));
  await session.restart('SIGTERM');
  assert.is(await messageOfRejection(grpc.get('k')), 'dead');
});

test('a server that ends by itself ends the session with its last words', async () => {
  const { session, store } = fakeRig();
  await session.start();
  store.dieByItself(1);
  await turnOfLoop();
  const message = await messageOfRejection(session.current());
  assert.is(message, 'The server ended by itself (exit 1):\nlast words');
});

test('a server that does not start again is told to those who wait', async () => {
  const failing = new ServerSession({
    startServer: () => Promise.reject(new StormError('UNAVAILABLE', 'no such port')),
    openDoors: () => {
      throw new Error('never asked');
    },
    monotonicMs: () => 0,
  });
  const waiting = messageOfRejection(failing.current());
  assert.is(await messageOfRejection(failing.start()), 'no such port');
  assert.is(await waiting, 'no such port');
  await failing.stop('SIGKILL');
});

test('an orderly stop that ends in another exit code is a failure', async () => {
  const { session, store } = fakeRig();
  const server = await session.start();
  server.end = () => Promise.resolve({ code: 1, lastWords: 'stuck' });
  assert.is(await messageOfRejection(session.stop('SIGTERM')), 'SIGTERM ended in exit 1:\nstuck');
  assert.equal(store.signals, []);
});

run();
