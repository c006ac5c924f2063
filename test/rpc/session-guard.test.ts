import { once } from 'node:events';
import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type Http2Server,
} from 'node:http2';
import { type AddressInfo, connect as connectSocket } from 'node:net';
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/base/system-clock.js';
import {
  guardSessions,
  REASON_CONTROL_FRAMES,
  REASON_PREFACE,
  REASON_RESETS,
  type SessionLimits,
} from '../../src/rpc/session-guard.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('guardSessions');
const LIMITS = { resetsPerSecondMax: 10, controlFramesPerSecondMax: 10, handshakeMsMax: 60_000 };

interface House {
  port: number;
  turnedAway: string[];
  server: Http2Server;
}

async function withServer(
  limits: Partial<SessionLimits>,
  body: (house: House) => Promise<void>,
): Promise<void> {
  const server = createServer();
  const turnedAway: string[] = [];
  guardSessions(server, { ...LIMITS, ...limits }, systemClock, (peer, reason) =>
    turnedAway.push(`${peer} ${reason}`),
  );
  server.on('sessionError', () => {});
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    if (headers[':path'] === '/answered') stream.respond({ ':status': 200 }, { endStream: true });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    await body({ port, turnedAway, server });
  } finally {
    server.close();
  }
}

/** Resolves with the code of the GOAWAY that ended it. */
function end(client: ClientHttp2Session): Promise<number> {
  return new Promise((resolve) => {
    let code = 0;
    client.on('goaway', (found) => {
      code = found;
    });
    client.on('error', () => {});
    client.on('close', () => resolve(code));
  });
}

/** Opens calls and cancels each at once, until the connection is closed. */
function resetUntilClosed(client: ClientHttp2Session): void {
  if (client.closed || client.destroyed) return;
  for (let i = 0; i < 20; i++) {
    const stream = client.request({ ':path': '/' });
    stream.on('error', () => {});
    stream.close(constants.NGHTTP2_CANCEL);
  }
  setImmediate(resetUntilClosed, client);
}

test('ends a connection that cancels call after call, and says whose it was', () =>
  withServer({}, async ({ port, turnedAway }) => {
    const client = connect(`http://127.0.0.1:${port}`);
    const ended = end(client);
    resetUntilClosed(client);
    assert.is(await ended, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    assert.equal(turnedAway, [`127.0.0.1 ${REASON_RESETS}`]);
  }));

test('lets a connection live that makes many calls and cancels few', () =>
  withServer({}, async ({ port, turnedAway }) => {
    const client = connect(`http://127.0.0.1:${port}`);
    const ended = end(client);
    for (let i = 0; i < 300; i++) {
      const stream = client.request({ ':path': '/answered' });
      await once(stream.resume(), 'end');
      if (i % 10 > 0) continue;
      const cancelled = client.request({ ':path': '/' });
      cancelled.on('error', () => {});
      cancelled.close(constants.NGHTTP2_CANCEL);
    }
    assert.not.ok(client.destroyed);
    client.close();
    assert.is(await ended, 0);
    assert.equal(turnedAway, []);
  }));

test('ends a connection that sends PING after PING', () =>
  withServer({}, async ({ port, turnedAway }) => {
    const client = connect(`http://127.0.0.1:${port}`);
    const ended = end(client);
    const ping = () => {
      if (client.destroyed) return;
      client.ping(() => {});
      setImmediate(ping);
    };
    ping();
    assert.is(await ended, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    assert.equal(turnedAway, [`127.0.0.1 ${REASON_CONTROL_FRAMES}`]);
  }));

test('ends a connection that sends SETTINGS after SETTINGS', () =>
  withServer({}, async ({ port, turnedAway }) => {
    const client = connect(`http://127.0.0.1:${port}`);
    const ended = end(client);
    const settings = () => {
      if (client.destroyed) return;
      client.settings({ initialWindowSize: 65_536 }, () => setImmediate(settings));
    };
    settings();
    assert.is(await ended, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    assert.equal(turnedAway, [`127.0.0.1 ${REASON_CONTROL_FRAMES}`]);
  }));

test('ends a connection that never says anything', () =>
  withServer({ handshakeMsMax: 50 }, async ({ port, turnedAway }) => {
    const silent = connectSocket(port, '127.0.0.1');
    silent.resume();
    silent.on('error', () => {});
    await once(silent, 'close');
    assert.equal(turnedAway, [`127.0.0.1 ${REASON_PREFACE}`]);
  }));

run();
