import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import * as assert from 'uvu/assert';
import {
  certificateOf,
  DoorGuard,
  peerOf,
  REASON_CONNECTIONS,
  REASON_HANDSHAKE,
  REASON_NO_CERTIFICATE,
  REASON_PEER_CONNECTIONS,
} from '../../src/rpc/door-guard.js';
import { listenerOptions } from '../../src/rpc/door-security.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { makePki, type TestPki } from '../harness/test-pki.js';

const { test, run } = suite('DoorGuard');

async function listening(server: Server): Promise<number> {
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A connection from one of the loopback addresses. */
async function comeFrom(localAddress: string, port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

async function isEnded(socket: Socket): Promise<void> {
  if (socket.destroyed) return;
  socket.resume();
  await once(socket, 'close');
}

test('a peer gets no more than its part, all together no more than there are', async () => {
  const turnedAway: string[] = [];
  const limits = { connectionsMax: 3, connectionsPerPeerMax: 2 };
  const guard = new DoorGuard(limits, (peer, reason) => turnedAway.push(`${peer} ${reason}`));
  const server = createServer();
  guard.watch(server);
  const port = await listening(server);
  const first = await comeFrom('127.0.0.9', port);
  const second = await comeFrom('127.0.0.9', port);
  await isEnded(await comeFrom('127.0.0.9', port));
  const other = await comeFrom('127.0.0.1', port);
  await isEnded(await comeFrom('127.0.0.2', port));
  assert.equal(turnedAway, [
    `127.0.0.9 ${REASON_PEER_CONNECTIONS}`,
    `127.0.0.2 ${REASON_CONNECTIONS}`,
  ]);
  assert.is(guard.connections, 3);
  first.destroy();
  while (guard.connections > 2) await new Promise((soon) => setTimeout(soon, 2));
  const again = await comeFrom('127.0.0.9', port);
  while (guard.connections < 3) await new Promise((soon) => setTimeout(soon, 2));
  guard.destroyAll();
  await Promise.all([second, other, again].map(isEnded));
  while (guard.connections > 0) await new Promise((soon) => setTimeout(soon, 2));
  server.close();
});

test('IPv6 counts by network, and IPv4 in IPv6 clothes as what it is', () => {
  assert.is(peerOf('10.0.0.1'), '10.0.0.1');
  assert.is(peerOf('::ffff:10.0.0.1'), '10.0.0.1');
  assert.is(peerOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2');
  assert.is(peerOf('2001:db8:1:2::9'), '2001:db8:1:2');
  assert.is(peerOf('2001:db8::9'), '2001:db8:0:0');
  assert.is(peerOf('::1'), '0:0:0:0');
  assert.is(peerOf('fe80::1%eth0'), 'fe80:0:0:0');
});

interface TlsHouse {
  pki: TestPki;
  port: number;
  turnedAway: string[];
  guard: DoorGuard;
  server: ReturnType<typeof createTlsServer>;
  accepted: TLSSocket[];
}

function withTls(
  clientAuth: 'request' | 'require',
  body: (house: TlsHouse) => Promise<void>,
): Promise<void> {
  return withTempDir(async (dir) => {
    const pki = makePki(dir);
    if (pki === undefined) return;
    const turnedAway: string[] = [];
    const limits = { connectionsMax: 100, connectionsPerPeerMax: 100 };
    const guard = new DoorGuard(limits, (peer, reason) => turnedAway.push(`${peer} ${reason}`));
    const { cert, key } = pki.issue('server', 'server');
    const tls = { cert, key, clientCa: pki.ca, clientAuth };
    const server = createTlsServer({ ...listenerOptions(tls), handshakeTimeout: 300 });
    guard.watch(server, tls);
    const accepted: TLSSocket[] = [];
    server.on('secureConnection', (socket) => {
      if (socket.destroyed) return;
      accepted.push(socket);
      socket.on('error', () => {});
      socket.write('welcome');
    });
    const port = await listening(server);
    try {
      await body({ pki, port, turnedAway, guard, server, accepted });
    } finally {
      guard.destroyAll();
      server.close();
    }
  });
}

/** What the server said first, or the code of the failure. */
function greet(port: number, options: object): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectTls({ port, host: '127.0.0.1', ...options });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    socket.on('close', () => resolve('closed'));
    socket.on('data', (data) => {
      resolve(data.toString());
      socket.destroy();
    });
  });
}

test('where a certificate is required, only a good one is let in', () =>
  withTls('require', async ({ pki, port, turnedAway, accepted }) => {
    const { cert, key } = pki.issue('ward-7');
    assert.is(await greet(port, { ca: pki.ca, cert, key }), 'welcome');
    const found = certificateOf(accepted[0] as Socket);
    assert.is(found?.commonName, 'ward-7');
    assert.match(found?.fingerprint ?? '', /^[0-9a-f]{64}$/);
    assert.is(certificateOf(accepted[0] as Socket), found, 'is made once');
    assert.is.not(await greet(port, { ca: pki.ca }), 'welcome');
    const old = pki.issue('ward-8', 'expired');
    assert.is.not(await greet(port, { ca: pki.ca, cert: old.cert, key: old.key }), 'welcome');
    await withTempDir(async (dir) => {
      const foreign = makePki(dir, 'other-ca')?.issue('ward-7');
      const own = { ca: pki.ca, cert: foreign?.cert, key: foreign?.key };
      assert.is.not(await greet(port, own), 'welcome');
    });
    assert.equal(turnedAway.slice(0, 2), [
      `127.0.0.1 ${REASON_NO_CERTIFICATE}`,
      '127.0.0.1 certificate: CERT_HAS_EXPIRED',
    ]);
    assert.match(turnedAway[2] ?? '', /certificate: (?:UNABLE_TO|SELF_SIGNED|CERT_SIGNATURE)/);
    assert.is(accepted.length, 1);
  }));

test('where one is only asked for, who has none that is good comes in without', () =>
  withTls('request', async ({ pki, port, accepted }) => {
    const old = pki.issue('ward-8', 'expired');
    assert.is(await greet(port, { ca: pki.ca }), 'welcome');
    assert.is(await greet(port, { ca: pki.ca, cert: old.cert, key: old.key }), 'welcome');
    assert.equal(accepted.map(certificateOf), [undefined, undefined]);
  }));

test('TLS 1.2 and plain text are refused, and who says nothing is ended', () =>
  withTls('request', async ({ pki, port, turnedAway, guard }) => {
    assert.is.not(await greet(port, { ca: pki.ca, maxVersion: 'TLSv1.2' }), 'welcome');
    const plain = await comeFrom('127.0.0.4', port);
    plain.write('GET / HTTP/1.1\r\n\r\n');
    await isEnded(plain);
    await isEnded(await comeFrom('127.0.0.5', port));
    while (guard.connections > 0) await new Promise((soon) => setTimeout(soon, 2));
    assert.equal(turnedAway, [
      `127.0.0.1 ${REASON_HANDSHAKE}`,
      `127.0.0.4 ${REASON_HANDSHAKE}`,
      `127.0.0.5 ${REASON_HANDSHAKE}`,
    ]);
  }));

test('a new certificate and authority count for new handshakes, a broken one changes nothing', () =>
  withTls('require', async ({ pki, port, guard, server }) => {
    await withTempDir(async (dir) => {
      const next = makePki(dir, 'next-ca');
      if (next === undefined) return;
      const [client, nextClient] = [pki.issue('a'), next.issue('b')];
      const { cert, key } = next.issue('server', 'server');
      const settings = { cert, key, clientCa: next.ca, clientAuth: 'require' } as const;
      assert.throws(() => guard.setTls(server, { ...settings, cert: 'no PEM' }));
      assert.throws(() => guard.setTls(server, { ...settings, key: client.key }));
      const old = { ca: pki.ca, cert: client.cert, key: client.key };
      assert.is(await greet(port, old), 'welcome');
      guard.setTls(server, settings);
      const fresh = { ca: next.ca, cert: nextClient.cert, key: nextClient.key };
      assert.is(await greet(port, fresh), 'welcome');
      assert.is.not(await greet(port, old), 'welcome');
      assert.is.not(await greet(port, { ...old, ca: next.ca }), 'welcome');
    });
  }));

run();
