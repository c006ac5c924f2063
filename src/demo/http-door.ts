/** PUT and GET /kv/<key> over a few kept-open connections. */
import { Agent, type IncomingMessage, request } from 'node:http';
import { parseAddress } from '../base/address.js';
import { messageOf, StormError } from '../base/errors.js';
import type { Door } from './door.js';

export interface HttpDoor extends Door {
  /** Calls in progress fail. */
  close(): void;
}

const STATUS_OK = 200;
const STATUS_NOT_FOUND = 404;
const STATUS_TOO_MANY = 429;
const STATUS_SERVER_ERROR = 500;

interface Reply {
  status: number;
  body: Buffer;
}

export function openHttpDoor(address: string, connectionsMax: number, timeoutMs: number): HttpDoor {
  const agent = new Agent({ keepAlive: true, maxSockets: connectionsMax });
  const { host, port } = parseAddress(address);
  const call = (method: string, key: string, body?: Buffer): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const path = `/kv/${encodeURIComponent(key)}`;
      const options = { agent, host, port, method, path, timeout: timeoutMs };
      const outgoing = request(options, (reply) => {
        readReply(reply).then(resolve, (cause) => reject(unavailable(cause)));
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer in ${timeoutMs} ms`)));
      outgoing.on('error', (cause) => reject(unavailable(cause)));
      outgoing.end(body);
    });
  return {
    async put(key, value) {
      const reply = await call('PUT', key, value);
      if (reply.status !== STATUS_OK) throw failureOf('PUT', reply);
    },
    async get(key) {
      const reply = await call('GET', key);
      if (reply.status === STATUS_NOT_FOUND) return undefined;
      if (reply.status !== STATUS_OK) throw failureOf('GET', reply);
      return reply.body;
    },
    close: () => agent.destroy(),
  };
}

async function readReply(reply: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = [];
  for await (const chunk of reply) chunks.push(Buffer.from(chunk));
  return { status: reply.statusCode ?? 0, body: Buffer.concat(chunks) };
}

function failureOf(method: string, { status, body }: Reply): StormError {
  const text = `HTTP ${method} was answered with ${status}: ${body.toString('utf8').slice(0, 300)}`;
  const isPassing = status === STATUS_TOO_MANY || status >= STATUS_SERVER_ERROR;
  return new StormError(isPassing ? 'UNAVAILABLE' : 'INVALID_ARGUMENT', text, {
    outcome: 'unknown',
  });
}

function unavailable(cause: unknown): StormError {
  const text = `HTTP call failed: ${messageOf(cause)}`;
  return new StormError('UNAVAILABLE', text, { cause, outcome: 'unknown' });
}
