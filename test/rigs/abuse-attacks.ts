/**
 * What somebody who means harm, or whose program is broken, does to a door. Each attack goes on
 * until it is told to stop, from a loopback address of its own, and tells how often the server
 * turned it away. What the server answers is the server's business: an attack must not throw.
 */
import { randomBytes } from 'node:crypto';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';

export interface Doors {
  grpcPort: number;
  httpPort: number;
}

export interface AttackSize {
  /** How many connections the floods of connections open. */
  connections: number;
  /** What the gzip bomb becomes. */
  bombBytes: number;
}

export interface Toll {
  attempts: number;
  /** Connections that the server ended, and calls that it refused. */
  turnedAway: number;
}

export type Attack = (
  doors: Doors,
  size: AttackSize,
  from: string,
  signal: AbortSignal,
) => Promise<Toll>;

const HOST = '127.0.0.1';
const GIB = 2 ** 30;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** An empty SETTINGS frame. */
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
const BURST = 64;
const PAUSE_MS = 10;
const LAST_WORD_MS = 2000;

export const ATTACKS: Readonly<Record<string, Attack>> = {
  'slow headers': async ({ httpPort }, { connections }, from, signal) => {
    const lines = 'GET /kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ';
    const trickle = (socket: Socket) => void socket.write('a');
    return holdSockets([httpPort], Math.min(connections, 200), from, signal, lines, trickle);
  },
  'idle connections': ({ grpcPort, httpPort }, { connections }, from, signal) =>
    holdSockets([grpcPort, httpPort], connections, from, signal),
  'reset flood': ({ grpcPort }, _size, from, signal) => {
    let calls = 0;
    return floodSessions(grpcPort, from, signal, (session) => {
      // With a type that the server refuses at once, or takes for a call that goes on.
      const type = calls++ % 2 === 0 ? {} : { 'content-type': 'application/grpc' };
      const stream = session.request({ ':method': 'POST', ':path': '/kv.Kv/Get', ...type });
      stream.on('error', () => {});
      stream.once('ready', () => stream.close(constants.NGHTTP2_CANCEL));
    });
  },
  'ping flood': ({ grpcPort }, _size, from, signal) =>
    floodSessions(grpcPort, from, signal, (session) => void session.ping(() => {})),
  'claims of 1 GiB': async ({ grpcPort, httpPort }, _size, from, signal) => {
    const header = Buffer.alloc(5);
    header.writeUInt32BE(GIB, 1);
    const toll = await floodCalls(grpcPort, from, signal, {}, header);
    const claim = `PUT /kv/a HTTP/1.1\r\nHost: 127.0.0.1:${httpPort}\r\nContent-Length: ${GIB}\r\n\r\n`;
    return sum(toll, await sendRaw(httpPort, from, Buffer.from(claim)));
  },
  'gzip bomb': ({ grpcPort }, { bombBytes }, from, signal) => {
    const bomb = gzipSync(Buffer.alloc(bombBytes));
    return floodCalls(grpcPort, from, signal, { 'grpc-encoding': 'gzip' }, framed(bomb, 1));
  },
  '20,000 nested arrays': ({ grpcPort }, _size, from, signal) => {
    const depths = Buffer.alloc(20_000, 0x91);
    // BatchSet with them where an entry run should be (field 2).
    const message = Buffer.concat([Buffer.from([0x12, 0xa0, 0x9c, 0x01]), depths]);
    return floodCalls(grpcPort, from, signal, {}, framed(message, 0), '/kv.Kv/BatchSet');
  },
  'header bombs': async ({ grpcPort, httpPort }, _size, from, signal) => {
    const header = `GET /kv/a HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(1 << 20)}\r\n\r\n`;
    const endless = Buffer.concat([PREFACE, SETTINGS, continuations(1000)]);
    let toll: Toll = { attempts: 0, turnedAway: 0 };
    do {
      toll = sum(toll, await sendRaw(httpPort, from, Buffer.from(header)));
      toll = sum(toll, await sendRaw(grpcPort, from, endless));
    } while (!signal.aborted);
    return toll;
  },
  'random bytes': async ({ grpcPort, httpPort }, _size, from, signal) => {
    let toll: Toll = { attempts: 0, turnedAway: 0 };
    do {
      toll = sum(toll, await sendRaw(httpPort, from, randomBytes(4096)));
      toll = sum(toll, await sendRaw(grpcPort, from, randomBytes(4096)));
      const afterPreface = Buffer.concat([PREFACE, SETTINGS, randomBytes(4096)]);
      toll = sum(toll, await sendRaw(grpcPort, from, afterPreface));
    } while (!signal.aborted);
    return toll;
  },
};

function sum(a: Toll, b: Toll): Toll {
  return { attempts: a.attempts + b.attempts, turnedAway: a.turnedAway + b.turnedAway };
}

/** A gRPC message with its five bytes in front. */
function framed(message: Uint8Array, compressed: 0 | 1): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame[0] = compressed;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

/** HEADERS without an end, and so many CONTINUATION frames of one header each. */
function continuations(count: number): Buffer {
  // A literal header that is not indexed: `x: aaa…`.
  const field = Buffer.concat([Buffer.from([0, 1, 0x78, 100]), Buffer.alloc(100, 0x61)]);
  const frame = (type: number) => {
    const head = Buffer.from([0, 0, field.length, type, 0, 0, 0, 0, 1]);
    return Buffer.concat([head, field]);
  };
  return Buffer.concat([frame(1), ...Array.from({ length: count }, () => frame(9))]);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Opens connections, again where they are ended, and does nothing good with them. */
async function holdSockets(
  ports: readonly number[],
  count: number,
  localAddress: string,
  signal: AbortSignal,
  first = '',
  trickle: (socket: Socket) => void = () => {},
): Promise<Toll> {
  const sockets = new Set<Socket>();
  const toll = { attempts: 0, turnedAway: 0 };
  while (!signal.aborted) {
    for (let i = 0; i < BURST && sockets.size < count; i++) {
      const port = ports[toll.attempts++ % ports.length] ?? 0;
      const socket = connect({ port, host: HOST, localAddress });
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => {
        sockets.delete(socket);
        if (!signal.aborted) toll.turnedAway++;
      });
      socket.resume();
      if (first !== '') socket.write(first);
    }
    for (const socket of sockets) trickle(socket);
    await pause(PAUSE_MS);
  }
  for (const socket of sockets) socket.destroy();
  return toll;
}

function openSession(port: number, localAddress: string): ClientHttp2Session {
  const createConnection = () => connect({ port, host: HOST, localAddress });
  const session = connectHttp2(`http://${HOST}:${port}`, { createConnection });
  session.on('error', () => {});
  return session;
}

/** Does it as often as it can, on a new connection whenever the server has ended the last. */
async function floodSessions(
  port: number,
  from: string,
  signal: AbortSignal,
  act: (session: ClientHttp2Session) => void,
): Promise<Toll> {
  const toll = { attempts: 0, turnedAway: 0 };
  while (!signal.aborted) {
    const session = openSession(port, from);
    let isEndedHere = false;
    const ended = new Promise<void>((resolve) => {
      session.once('close', () => {
        if (!isEndedHere) toll.turnedAway++;
        resolve();
      });
    });
    while (!signal.aborted && !session.closed && !session.destroyed) {
      for (let i = 0; i < BURST && !session.closed && !session.destroyed; i++) {
        toll.attempts++;
        act(session);
      }
      await pause(1);
    }
    // What was sent last is still to be judged.
    await Promise.race([ended, pause(LAST_WORD_MS)]);
    isEndedHere = true;
    session.destroy();
  }
  return toll;
}

/** The same call again and again, some at a time; what is not answered with OK was turned away. */
async function floodCalls(
  port: number,
  from: string,
  signal: AbortSignal,
  headers: Record<string, string>,
  body: Uint8Array,
  path = '/kv.Kv/Set',
): Promise<Toll> {
  const toll = { attempts: 0, turnedAway: 0 };
  let session = openSession(port, from);
  const call = () =>
    new Promise<void>((resolve) => {
      toll.attempts++;
      const grpc = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc' };
      const stream = session.request({ ...grpc, te: 'trailers', ...headers });
      let status = '';
      const note = (found: Record<string, unknown>) => {
        status = String(found['grpc-status'] ?? status);
      };
      stream.on('response', note);
      stream.on('trailers', note);
      stream.on('error', () => {});
      stream.on('close', () => {
        if (status !== '0') toll.turnedAway++;
        resolve();
      });
      stream.resume();
      stream.write(body);
      // A claim that is never met is only ended by the server.
      if (path !== '/kv.Kv/Set' || headers['grpc-encoding'] !== undefined) stream.end();
      setTimeout(() => stream.close(), 500);
    });
  do {
    if (session.closed || session.destroyed) session = openSession(port, from);
    await Promise.all(Array.from({ length: 8 }, call));
  } while (!signal.aborted);
  session.destroy();
  return toll;
}

/** Sends it on a connection of its own, until the server ends that or half a second is over. */
function sendRaw(port: number, localAddress: string, bytes: Uint8Array): Promise<Toll> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: HOST, localAddress });
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      socket.destroy();
    }, 500);
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve({ attempts: 1, turnedAway: isLate ? 0 : 1 });
    });
    socket.resume();
    socket.write(bytes);
  });
}
