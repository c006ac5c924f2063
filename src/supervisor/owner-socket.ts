/**
 * A Unix stream socket that answers, as long as its process lives, with one line of JSON about that
 * process. A successful connection is the proof of life: the kernel accepts it even while the
 * process is busy, and refuses it from the moment the process is gone, whatever killed it.
 *
 * Imports node:net, because sockets are the operating system's and no port of ours covers them.
 */
import { connect, createServer, type Server } from 'node:net';
import { systemCodeOf } from '../base/errors.js';

export interface Owner {
  pid: number;
  host: string;
  /** Wall time as ISO 8601. */
  startedAt: string;
}

/** What connecting to a socket tells of the process that made it. */
export type Life =
  | { kind: 'alive'; owner: Owner | undefined }
  /** For ever: a socket whose process is gone never listens again. */
  | { kind: 'dead' }
  /** There is no such name. */
  | { kind: 'gone' };

const ANSWER_BYTES_MAX = 4096;
/** The owner may be busy or stopped; it is alive all the same, only its name stays unknown. */
const ANSWER_WAIT_MS = 500;
/** A peer that neither reads nor leaves. */
const PEER_IDLE_MS = 1000;

/** Listens at `path`, which must be free, without keeping the process alive. */
export function listenAsOwner(path: string, owner: Owner): Promise<Server> {
  const line = `${JSON.stringify(owner)}\n`;
  const server = createServer({ pauseOnConnect: true }, (peer) => {
    peer.unref();
    // The peer may vanish at any time: nothing is owed to it.
    peer.on('error', () => peer.destroy());
    peer.setTimeout(PEER_IDLE_MS, () => peer.destroy());
    peer.end(line, () => peer.destroy());
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, exclusive: true }, () => {
      server.off('error', reject);
      // Running out of descriptors: the peer has its connection, and with it the proof of life.
      server.on('error', () => undefined);
      server.unref();
      resolve(server);
    });
  });
}

/** Asks the socket at `path`. Errors that prove neither life nor death are thrown. */
export function askOwner(path: string): Promise<Life> {
  return new Promise((resolve, reject) => {
    let connected = false;
    let answer = '';
    const socket = connect({ path });
    const finish = (): void => {
      socket.destroy();
      resolve({ kind: 'alive', owner: ownerIn(answer) });
    };
    socket.setEncoding('utf8');
    socket.setTimeout(ANSWER_WAIT_MS, finish);
    socket.on('connect', () => {
      connected = true;
    });
    socket.on('data', (text) => {
      answer += text;
      if (answer.length > ANSWER_BYTES_MAX || answer.includes('\n')) finish();
    });
    socket.on('end', finish);
    socket.on('error', (error) => {
      const code = systemCodeOf(error);
      // EAGAIN: so many ask that the queue is full; only a living process has a queue.
      if (connected || code === 'EAGAIN') return finish();
      socket.destroy();
      if (code === 'ECONNREFUSED') resolve({ kind: 'dead' });
      // ECONNRESET: the owner closed its socket while we stood in its queue. Ask again.
      else if (code === 'ENOENT' || code === 'ECONNRESET') resolve({ kind: 'gone' });
      else reject(error);
    });
  });
}

function ownerIn(answer: string): Owner | undefined {
  let value: unknown;
  try {
    value = JSON.parse(answer);
  } catch {
    // Cut short, or another program's socket: alive, but nobody we can name.
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  if (!('pid' in value && 'host' in value && 'startedAt' in value)) return undefined;
  const { pid, host, startedAt } = value;
  if (typeof pid !== 'number' || typeof host !== 'string') return undefined;
  return { pid, host, startedAt: String(startedAt) };
}
