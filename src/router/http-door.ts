/**
 * The HTTP door: /kv/<key>, /ttl/<key>, /kv, /livez, /readyz, /stats and /metrics, over the
 * operations that a caller has access to. The only importer of fastify; runs on a router thread, on
 * plain sockets or TLS.
 *
 * Fastify sees one fixed path per route (`rewriteUrl`); keys are read from the target as it came,
 * because a router for paths decodes and normalises what must stay as it is. Bodies are bytes,
 * whatever their Content-Type says.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { Server as TlsServer } from 'node:tls';
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from 'fastify';
import { formatAddress, parseAddress } from '../base/address.js';
import { messageOf, StormError } from '../base/errors.js';
import type { Access, Credentials } from '../rpc/access.js';
import type { ClusterStats } from '../rpc/admin-operations.js';
import { certificateOf, DoorGuard, type TurnedAway } from '../rpc/door-guard.js';
import type { HttpDoorLimits } from '../rpc/door-limits.js';
import { listenerOptions, type TlsSettings } from '../rpc/door-security.js';
import type { ScanPage, WriteDone } from '../rpc/kv-operations.js';
import type { ShardStats } from '../rpc/shard-stats.js';
import { etagOf, isKnownVersion, ttlMsOf, writeOptionsOf } from './http-conditions.js';
import { type HostRules, refusalOf } from './http-guard.js';
import { loadLines } from './http-load.js';
import { HttpQuery } from './http-query.js';
import {
  clientErrorHandler,
  NOT_FOUND,
  sendDone,
  sendError,
  sendThrown,
  WRITE_METHODS,
} from './http-replies.js';
import { nextPage, resultLines, SCAN_PARAMETERS, scanLines, scanRequestOf } from './http-scan.js';
import { errorBody, HEADER_OUTCOME } from './http-status.js';
import { keyOfTarget, type Route, routeOf } from './http-target.js';
import { METRICS_TYPE, metricsText } from './metrics-text.js';
import { readinessOf } from './readiness.js';
import type { RouterStatus } from './router-types.js';

export interface HttpLimits extends HttpDoorLimits {
  keyBytesMax: number;
  valueBytesMax: number;
  batchBytesMax: number;
  batchEntriesMax: number;
}

export const HTTP_LIMITS_DEFAULT = {
  connectionsMax: 4096,
  connectionsPerPeerMax: 1024,
  handshakeMsMax: 10_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 72_000,
  headerBytesMax: 16_384,
} as const;

export interface HttpDoorOptions extends HostRules {
  /** HOST:PORT; port 0 takes any. */
  address: string;
  /** Others listen on the same port; false if not given. */
  sharesPorts?: boolean;
  /** Plain text if not given. */
  tls?: TlsSettings | undefined;
  access: Access;
  onTurnedAway?: TurnedAway;
  status: () => RouterStatus;
  /** By shard. */
  shardStats?: readonly ShardStats[];
  limits: HttpLimits;
}

export interface HttpDoor {
  /** HOST:PORT with the real port. */
  readonly address: string;
  /**
   * From now on each answer ends its connection: a client learns so between two requests, and not
   * while it sends one, that the door closes.
   */
  windDown(): void;
  /** New connections use it; throws when the PEM texts do not fit each other. */
  setTls(tls: TlsSettings): void;
  /**
   * Accepts no more connections, lets requests in flight finish, and ends what is left after
   * `deadlineMs`. True when everything finished by itself.
   */
  drain(deadlineMs: number): Promise<boolean>;
  /** Ends everything at once. */
  close(): Promise<void>;
}

const ALLOW: Record<string, string> = {
  '/kv/': 'GET, HEAD, PUT, POST, DELETE',
  '/kv': 'GET, HEAD, POST, DELETE',
  '/ttl/': 'GET, HEAD, PUT',
  '/livez': 'GET, HEAD',
  '/readyz': 'GET, HEAD',
  '/stats': 'GET, HEAD',
  '/metrics': 'GET, HEAD',
};
/** Who asks these must not be known: they tell nothing of what is stored. */
const OPEN_ROUTES = new Set(['/livez', '/readyz']);
/** Figures: open only where the configuration says so. */
const OBSERVER_ROUTES = new Set(['/stats', '/metrics']);
/** How late a connection may be found to be late. */
const CONNECTIONS_CHECK_MS = 1000;
const EMPTY = Buffer.alloc(0);

/** Resolves when the port is bound; rejects with UNAVAILABLE when it cannot be. */
export async function startHttpDoor(options: HttpDoorOptions): Promise<HttpDoor> {
  const { host, port } = parseAddress(options.address);
  const app = makeApp(options);
  const guard = new DoorGuard(options.limits, options.onTurnedAway);
  guard.watch(app.server, options.tls);
  let isWindingDown = false;
  app.addHook('onRequest', (_request, reply, next) => {
    if (isWindingDown) reply.header('connection', 'close');
    next();
  });
  addGuards(app, options);
  addRoutes(app, options);
  try {
    const sharing: object = options.sharesPorts === true ? { reusePort: true } : {};
    await app.listen({ host, port, ...sharing });
  } catch (cause) {
    const text = `Cannot listen for HTTP on ${options.address}: ${messageOf(cause)}`;
    throw new StormError('UNAVAILABLE', text, { cause });
  }
  const bound = app.server.address();
  const realPort = bound !== null && typeof bound === 'object' ? bound.port : port;
  return {
    address: formatAddress({ host, port: realPort }),
    windDown() {
      isWindingDown = true;
    },
    setTls(tls) {
      if (app.server instanceof TlsServer) guard.setTls(app.server, tls);
    },
    drain: (deadlineMs) => drain(app, deadlineMs),
    close: async () => {
      await drain(app, 0);
    },
  };
}

function makeApp({ limits, tls }: HttpDoorOptions): FastifyInstance {
  const bounds = {
    maxHeaderSize: limits.keyBytesMax * 3 + limits.headerBytesMax,
    headersTimeout: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
    connectionsCheckingInterval: Math.min(CONNECTIONS_CHECK_MS, limits.headersTimeoutMs),
  };
  const secure =
    tls === undefined
      ? { http: bounds }
      : {
          https: { ...bounds, ...listenerOptions(tls), handshakeTimeout: limits.handshakeMsMax },
        };
  const app: FastifyInstance = fastify({
    ...(secure as { http: typeof bounds }),
    logger: false,
    bodyLimit: limits.valueBytesMax,
    rewriteUrl: (request) => routeOf(request.url ?? ''),
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    forceCloseConnections: 'idle',
    // A request that comes in while draining is still served; its connection is then closed.
    return503OnClosing: false,
    exposeHeadRoutes: true,
    clientErrorHandler,
  });
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
      // Before the body has come: strangers cannot make the server take it.
      const stranger = authenticate(request, options.access);
      if (stranger !== undefined) reply.header('connection', 'close');
      // Any type is taken as bytes, also one that is not well-formed.
      delete request.raw.headers['content-type'];
      next(stranger);
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

/** Why the request is refused where it matters who calls. */
function authenticate(request: FastifyRequest, access: Access): StormError | undefined {
  const route = routeOf(request.originalUrl);
  if (OPEN_ROUTES.has(route)) return undefined;
  if (OBSERVER_ROUTES.has(route) && access.observersAreOpen === true) return undefined;
  try {
    access.authenticate?.(credentialsOf(request));
    return undefined;
  } catch (error) {
    if (error instanceof StormError) return error;
    throw error;
  }
}

function addRoutes(app: FastifyInstance, options: HttpDoorOptions): void {
  addKeyRoutes(app, options.access);
  addExpiryRoutes(app, options.access);
  addCollectionRoutes(app, options);
  app.get('/livez', (_request, reply) => {
    reply.send({ live: true });
  });
  app.get('/readyz', (_request, reply) => {
    const readiness = readinessOf(options.status(), options.shardStats ?? []);
    reply.code(readiness.ready ? 200 : 503).send(readiness);
  });
  addAdminRoutes(app, options.access);
}

function addAdminRoutes(app: FastifyInstance, access: Access): void {
  const observe = (path: Route, send: (reply: FastifyReply, stats: ClusterStats) => unknown) =>
    app.get(path, (request, reply) => {
      const credentials = credentialsOf(request);
      const observer = access.observer?.(credentials) ?? access.admin(credentials);
      observer.stats(Infinity, (error, stats) => {
        if (stats === undefined) sendError(reply, error ?? NOT_FOUND, false);
        else send(reply, stats);
      });
    });
  observe('/stats', (reply, stats) => reply.send(stats));
  observe('/metrics', (reply, stats) => reply.type(METRICS_TYPE).send(metricsText(stats)));
}

function addKeyRoutes(app: FastifyInstance, access: Access): void {
  const put = (request: FastifyRequest, reply: FastifyReply): void => {
    const key = keyOfTarget(request.originalUrl);
    const writeOptions = writeOptionsOf(request.raw.headers);
    const done: WriteDone = (error, sequence) => sendDone(reply, error, sequence);
    access.kv(credentialsOf(request)).set(key, bodyOf(request), Infinity, done, writeOptions);
  };
  app.put('/kv/', put);
  app.post('/kv/', put);
  app.delete('/kv/', (request, reply) => {
    const key = keyOfTarget(request.originalUrl);
    const { 'if-match': match, 'if-none-match': noneMatch } = request.raw.headers;
    const writeOptions = writeOptionsOf({ 'if-match': match, 'if-none-match': noneMatch });
    access
      .kv(credentialsOf(request))
      .delete(key, Infinity, (error) => sendDone(reply, error, 0), writeOptions);
  });
  app.get('/kv/', (request, reply) => {
    access
      .kv(credentialsOf(request))
      .get(keyOfTarget(request.originalUrl), Infinity, (error, value, sequence) => {
        if (error !== undefined) sendError(reply, error, false);
        else if (value === undefined) sendError(reply, NOT_FOUND, false);
        else {
          reply.header('etag', etagOf(sequence));
          if (isKnownVersion(request.raw.headers, sequence)) reply.code(304).send();
          else reply.header('content-type', 'application/octet-stream').send(value);
        }
      });
  });
}

function addExpiryRoutes(app: FastifyInstance, access: Access): void {
  app.get('/ttl/', (request, reply) => {
    access
      .kv(credentialsOf(request))
      .ttl(keyOfTarget(request.originalUrl), Infinity, (error, found) => {
        if (error !== undefined) sendError(reply, error, false);
        else if (found === undefined) sendError(reply, NOT_FOUND, false);
        else {
          const { remainingMs, sequence } = found;
          reply.header('etag', etagOf(sequence)).send({ ttl_ms: remainingMs, version: sequence });
        }
      });
  });
  app.put('/ttl/', (request, reply) => {
    const key = keyOfTarget(request.originalUrl);
    const ttlMs = ttlMsOf(bodyOf(request).toString('latin1').trim());
    access.kv(credentialsOf(request)).expire(key, ttlMs, Infinity, (error, sequence) => {
      const isMissing = error === undefined && sequence === 0;
      sendDone(reply, isMissing ? NOT_FOUND : error, sequence);
    });
  });
}

/** What concerns many keys. */
function addCollectionRoutes(app: FastifyInstance, { access, limits }: HttpDoorOptions): void {
  app.get('/kv', (request, reply) => {
    const query = new HttpQuery(request.originalUrl, SCAN_PARAMETERS, ['key']);
    const asUtf8 = query.isUtf8();
    reply.header('content-type', NDJSON);
    if (query.has('key')) {
      const keys = query.all('key');
      access.kv(credentialsOf(request)).batchGet(keys, Infinity, (error, results) => {
        if (error !== undefined) sendError(reply, error, false);
        else reply.send(resultLines(keys, results, asUtf8));
      });
      return;
    }
    const scan = access.kv(credentialsOf(request)).scan(scanRequestOf(query));
    const send = (page: ScanPage): void => {
      if (page.freshSnapshot) reply.header('stormkv-fresh-snapshot', 'true');
      const lines = Readable.from(scanLines(scan, page, asUtf8));
      // A generator that never began is not told that nobody reads it.
      lines.once('close', () => scan.close());
      reply.send(lines);
    };
    // The first page is awaited, so that what is wrong at once has its status.
    nextPage(scan).then(send, (error) => sendThrown(request, reply, error));
  });
  app.delete('/kv', (request, reply) => {
    const query = new HttpQuery(request.originalUrl, ['prefix', 'dry_run']);
    const prefix = query.bytes('prefix') ?? EMPTY;
    const dryRun = query.flag('dry_run');
    access.kv(credentialsOf(request)).deletePrefix(prefix, { dryRun }, Infinity, (error, count) => {
      if (error !== undefined) sendError(reply, error, true);
      else reply.send({ count });
    });
  });
  // Its body is not gathered but read as it comes.
  app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, body, parsed) => parsed(null, body));
    scope.post('/kv', (request, reply) => {
      const asUtf8 = new HttpQuery(request.originalUrl, ['encoding']).isUtf8();
      const body = request.body instanceof Readable ? request.body : Readable.from([]);
      loadLines(access.kv(credentialsOf(request)), body, limits, asUtf8).then(
        (answer) => reply.header('content-type', NDJSON).send(answer),
        (error) => sendThrown(request, reply, error),
      );
    });
    done();
  });
}

const NDJSON = 'application/x-ndjson';

/** A request's headers and connection, before anybody has judged them. */
function credentialsOf({ raw }: FastifyRequest): Credentials {
  return {
    door: 'http',
    peer: raw.socket.remoteAddress ?? '',
    authorization: raw.headers.authorization,
    certificate: certificateOf(raw.socket),
  };
}

function bodyOf(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : EMPTY;
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
