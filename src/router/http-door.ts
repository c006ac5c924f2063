/**
 * The HTTP door: /kv/<key>, /livez and /readyz over any KvOperations. The only importer of fastify;
 * runs on a router thread, on plain sockets.
 *
 * Fastify sees one fixed path per route (`rewriteUrl`); keys are read from the target as it came,
 * because a router for paths decodes and normalises what must stay as it is. Bodies are bytes,
 * whatever their Content-Type says.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from 'fastify';
import { formatAddress, parseAddress } from '../base/address.js';
import { messageOf, StormError } from '../base/errors.js';
import type { KvOperations } from '../rpc/kv-operations.js';
import { type HostRules, refusalOf } from './http-guard.js';
import { errorBody, errorHeaders, HEADER_OUTCOME, HTTP_STATUS_OF } from './http-status.js';
import { keyOfTarget, routeOf } from './http-target.js';
import type { RouterStatus } from './router-types.js';

export interface HttpLimits {
  keyBytesMax: number;
  valueBytesMax: number;
  connectionsMax: number;
  /** From the first byte of a request to its last. */
  requestTimeoutMs: number;
  keepAliveTimeoutMs: number;
}

export const HTTP_LIMITS_DEFAULT = {
  connectionsMax: 4096,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 72_000,
} as const;

export interface HttpDoorOptions extends HostRules {
  /** HOST:PORT; port 0 takes any. */
  address: string;
  operations: KvOperations;
  status: () => RouterStatus;
  limits: HttpLimits;
}

export interface HttpDoor {
  /** HOST:PORT with the real port. */
  readonly address: string;
  /**
   * Accepts no more connections, lets requests in flight finish, and ends what is left after
   * `deadlineMs`. True when everything finished by itself.
   */
  drain(deadlineMs: number): Promise<boolean>;
  /** Ends everything at once. */
  close(): Promise<void>;
}

const WRITE_METHODS = new Set(['PUT', 'POST', 'DELETE']);
const ALLOW: Record<string, string> = {
  '/kv/': 'GET, HEAD, PUT, POST, DELETE',
  '/livez': 'GET, HEAD',
  '/readyz': 'GET, HEAD',
};
/** Besides a percent-encoded key, a request has room for this much of other headers. */
const OTHER_HEADER_BYTES = 16_384;
const EMPTY = Buffer.alloc(0);

/** Resolves when the port is bound; rejects with UNAVAILABLE when it cannot be. */
export async function startHttpDoor(options: HttpDoorOptions): Promise<HttpDoor> {
  const { host, port } = parseAddress(options.address);
  const app = makeApp(options.limits);
  addGuards(app, options);
  addRoutes(app, options);
  try {
    await app.listen({ host, port });
  } catch (cause) {
    const text = `Cannot listen for HTTP on ${options.address}: ${messageOf(cause)}`;
    throw new StormError('UNAVAILABLE', text, { cause });
  }
  const bound = app.server.address();
  const realPort = bound !== null && typeof bound === 'object' ? bound.port : port;
  return {
    address: formatAddress({ host, port: realPort }),
    drain: (deadlineMs) => drain(app, deadlineMs),
    close: async () => {
      await drain(app, 0);
    },
  };
}

function makeApp(limits: HttpLimits): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: limits.valueBytesMax,
    rewriteUrl: (request) => routeOf(request.url ?? ''),
    http: { maxHeaderSize: limits.keyBytesMax * 3 + OTHER_HEADER_BYTES },
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    forceCloseConnections: 'idle',
    // A request that comes in while draining is still served; its connection is then closed.
    return503OnClosing: false,
    exposeHeadRoutes: true,
    clientErrorHandler,
  });
  app.server.maxConnections = limits.connectionsMax;
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    // Who asks first is told at once, and need not send what would be refused; the body parser
    // refuses it when it looks at Content-Length.
    const length = Number(request.headers['content-length'] ?? 0);
    if (!(length > limits.valueBytesMax)) response.writeContinue();
    app.server.emit('request', request, response);
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  return app;
}

function addGuards(app: FastifyInstance, options: HttpDoorOptions): void {
  app.addHook('onRequest', (request, reply, next) => {
    const { host, origin, 'sec-fetch-site': site } = request.raw.headers;
    const { localAddress, localPort } = request.raw.socket;
    const fetchSite = Array.isArray(site) ? site[0] : site;
    const refusal = refusalOf({ host, origin, fetchSite, localAddress, localPort }, options);
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    if (refusal === undefined) {
      // Any type is taken as bytes, also one that is not well-formed.
      delete request.raw.headers['content-type'];
      next();
      return;
    }
    // Refused before its body: what follows on the connection is not read.
    reply.header('connection', 'close');
    if (WRITE_METHODS.has(request.method)) reply.header(HEADER_OUTCOME, 'not-applied');
    reply.code(403).send(errorBody('FORBIDDEN', refusal));
  });
  app.setErrorHandler((error: FastifyError, request, reply) => sendThrown(request, reply, error));
  app.setNotFoundHandler((request, reply) => {
    const allow = ALLOW[routeOf(request.originalUrl)];
    if (allow === undefined) {
      reply.code(404).send(errorBody('NOT_FOUND', 'No such path: try /kv/<key> or /readyz'));
      return;
    }
    const text = `${request.method} is not possible here: use ${allow}`;
    reply.code(405).header('allow', allow).send(errorBody('METHOD_NOT_ALLOWED', text));
  });
}

function addRoutes(app: FastifyInstance, options: HttpDoorOptions): void {
  const { operations } = options;
  const put = (request: FastifyRequest, reply: FastifyReply): void => {
    const value = Buffer.isBuffer(request.body) ? request.body : EMPTY;
    operations.set(keyOfTarget(request.originalUrl), value, Infinity, (error) =>
      sendDone(reply, error),
    );
  };
  app.put('/kv/', put);
  app.post('/kv/', put);
  app.delete('/kv/', (request, reply) => {
    operations.delete(keyOfTarget(request.originalUrl), Infinity, (error) =>
      sendDone(reply, error),
    );
  });
  app.get('/kv/', (request, reply) => {
    operations.get(keyOfTarget(request.originalUrl), Infinity, (error, value) => {
      if (error !== undefined) sendError(reply, error, false);
      else if (value === undefined) sendError(reply, NOT_FOUND, false);
      else reply.header('content-type', 'application/octet-stream').send(value);
    });
  });
  app.get('/livez', (_request, reply) => {
    reply.send({ live: true });
  });
  app.get('/readyz', (_request, reply) => {
    const { ready, draining, shards } = options.status();
    reply.code(ready ? 200 : 503).send({ ready, draining, shards });
  });
}

const NOT_FOUND = new StormError('NOT_FOUND', 'The key has no value');

/** The answer to a write. */
function sendDone(reply: FastifyReply, error: StormError | undefined): void {
  if (error !== undefined) sendError(reply, error, true);
  else reply.code(200).send();
}

function sendError(reply: FastifyReply, error: StormError, isWrite: boolean): void {
  reply
    .code(HTTP_STATUS_OF[error.code])
    .headers(errorHeaders(error, isWrite))
    .send(errorBody(error.code, error.message));
}

/** What was thrown by a handler before its operation began, or by fastify itself. */
function sendThrown(request: FastifyRequest, reply: FastifyReply, error: FastifyError): void {
  const isWrite = WRITE_METHODS.has(request.method);
  if (error instanceof StormError) {
    sendError(reply, error, isWrite);
    return;
  }
  const status = error.statusCode ?? 500;
  if (isWrite) reply.header(HEADER_OUTCOME, status < 500 ? 'not-applied' : 'unknown');
  if (status === 413) {
    const text = 'The value is too long (limits.valueBytesMax); nothing was stored';
    reply.code(413).send(errorBody('INVALID_ARGUMENT', text));
    return;
  }
  const code = status < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL';
  reply.code(status).send(errorBody(code, error.message));
}

/** Bytes that are no HTTP request: answered on the bare socket. */
function clientErrorHandler(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  let status = '400 Bad Request';
  let text = 'This is not a well-formed HTTP request';
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    status = '431 Request Header Fields Too Large';
    text = 'The path and headers are too long (limits.keyBytesMax)';
  } else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    status = '408 Request Timeout';
    text = 'The request did not arrive in time';
  }
  const body = JSON.stringify(errorBody('INVALID_ARGUMENT', text));
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\nconnection: close\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

async function drain(app: FastifyInstance, deadlineMs: number): Promise<boolean> {
  let isForced = false;
  const timer = setTimeout(() => {
    isForced = true;
    app.server.closeAllConnections();
  }, deadlineMs);
  await app.close();
  clearTimeout(timer);
  return !isForced;
}
