/**
 * The gRPC door: service kv.Kv of proto/kv.proto, and for operators kv.Admin of
 * proto/kv_admin.proto, over the operations that a caller has access to. The only server-side
 * importer of @grpc/grpc-js; runs on a router thread, on sockets of plain text or TLS.
 *
 * The listener is ours and hands its sockets to grpc-js: so connections can be counted, and ended
 * when a drain takes too long (grpc-js 1.14 forgets its sessions when channelz is off, and its
 * forceShutdown then ends nothing).
 *
 * grpc-js passes raw message bytes through: a decoder that throws inside of it would answer
 * INTERNAL, while what a client sends wrong is INVALID_ARGUMENT. Messages larger than the largest
 * key and value, or the largest batch, are refused by grpc-js itself, with RESOURCE_EXHAUSTED,
 * before they are buffered.
 */
import { EventEmitter } from 'node:events';
import type { Http2Server } from 'node:http2';
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type StatusObject,
  type sendUnaryData,
  type UntypedHandleCall,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { formatAddress, parseAddress } from '../base/address.js';
import type { Clock } from '../base/clock.js';
import { messageOf, StormError } from '../base/errors.js';
import type { Access, Credentials } from './access.js';
import { ADMIN_METHODS } from './admin-service.js';
import { clientCertificate, type TurnedAway } from './door-guard.js';
import type { GrpcDoorLimits } from './door-limits.js';
import { DoorListener } from './door-listener.js';
import type { TlsSettings } from './door-security.js';
import { HealthService } from './health-service.js';
import { type DuplexMessageStream, IngestStream } from './ingest-stream.js';
import { UNARY_METHODS, type UnaryMethod } from './kv-service.js';
import { OpenStreams } from './open-streams.js';
import { addReflection } from './reflection-service.js';
import { type MessageStream, streamScan } from './scan-stream.js';
import { guardSessions } from './session-guard.js';
import { errorMetadata, GRPC_STATUS_OF } from './status-map.js';
import { streamWatch } from './watch-stream.js';

export interface GrpcLimits extends GrpcDoorLimits {
  keyBytesMax: number;
  valueBytesMax: number;
  batchBytesMax: number;
}

export const GRPC_LIMITS_DEFAULT = {
  connectionsMax: 4096,
  connectionsPerPeerMax: 1024,
  handshakeMsMax: 10_000,
  concurrentStreamsMax: 1024,
  connectionIdleMs: 300_000,
  keepaliveTimeMs: 30_000,
  keepaliveTimeoutMs: 10_000,
  sessionBytesMax: 64 * 1024 * 1024,
  resetsPerSecondMax: 100,
  controlFramesPerSecondMax: 1000,
} as const;

export interface GrpcServerOptions {
  /** HOST:PORT; port 0 takes any. */
  address: string;
  /** Others listen on the same port; false if not given. */
  sharesPorts?: boolean;
  /** Plain text if not given. */
  tls?: TlsSettings | undefined;
  access: Access;
  onTurnedAway?: TurnedAway;
  /** Whether tools may ask for the schema; false if not given. */
  hasReflection?: boolean;
  limits: GrpcLimits;
  clock: Clock;
}

export interface GrpcServer {
  /** HOST:PORT with the real port. */
  readonly address: string;
  /** What the health service says; NOT_SERVING until the first call. */
  setServing(isServing: boolean): void;
  /** New connections use it; throws when the PEM texts do not fit each other. */
  setTls(tls: TlsSettings): void;
  /**
   * Accepts no more connections, lets calls in flight finish, and ends what is left after
   * `deadlineMs`. True when everything finished by itself.
   */
  drain(deadlineMs: number): Promise<boolean>;
  /** Ends everything at once. */
  close(): void;
}

/** Room for field headers, and for a value a little too long to be refused with a clear error. */
const MESSAGE_OVERHEAD_BYTES = 4096;
type Call = ServerUnaryCall<Buffer, Buffer>;
type StreamCall = ServerWritableStream<Buffer, Buffer>;
type DuplexCall = ServerDuplexStream<Buffer, Buffer>;
type Callback = sendUnaryData<Buffer>;

/** Resolves when the port is bound; rejects with UNAVAILABLE when it cannot be. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const wanted = parseAddress(options.address);
  /** Of all connections: a drain does not wait for their clients to be done. */
  const streams = new OpenStreams();
  const server = new Server(channelOptions(options.limits));
  server.addService(KV_SERVICE, kvHandlers(options.access, options.clock, streams));
  const adminOf = (credentials: Credentials) => options.access.admin(credentials);
  server.addService(ADMIN_SERVICE, unaryHandlers(ADMIN_METHODS, adminOf, options.clock));
  server.addService(FEED_SERVICE, feedHandlers(options.access, streams));
  const health = new HealthService(endable(server, streams));
  if (options.hasReflection === true) addReflection(endable(server, streams));
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const { onTurnedAway = () => {} } = options;
  guardSessions(http2ServerOf(server), options.limits, options.clock, onTurnedAway);
  const listener = new DoorListener({
    tls: options.tls,
    protocol: 'h2',
    limits: options.limits,
    onSocket: (socket) => injector.injectConnection(socket),
    onTurnedAway,
  });
  const port = await listener.listen(wanted, options.sharesPorts ?? false);
  return {
    address: formatAddress({ host: wanted.host, port }),
    setServing: (isServing) => health.setServing(isServing),
    setTls: (tls) => listener.setTls(tls),
    drain(deadlineMs) {
      listener.stop();
      health.setServing(false);
      streams.stopAll();
      return shutDown(server, deadlineMs, () => listener.destroyAll());
    },
    close() {
      listener.destroyAll();
      server.forceShutdown();
    },
  };
}

/**
 * What grpc-js serves injected connections with. It is not public, but nothing else tells of a
 * connection's frames; a version of grpc-js that has it elsewhere must not start unguarded.
 */
function http2ServerOf(server: Server): Http2Server {
  const servers: unknown = Reflect.get(server, 'http2Servers');
  const [found] = servers instanceof Map ? (servers.keys() as Iterable<unknown>) : [];
  if (found instanceof EventEmitter) return found as Http2Server;
  throw new StormError('INTERNAL', 'This version of @grpc/grpc-js does not show its HTTP/2 server');
}

function channelOptions(limits: GrpcLimits) {
  const { keyBytesMax, valueBytesMax, batchBytesMax } = limits;
  const messageBytesMax =
    Math.max(keyBytesMax + valueBytesMax, batchBytesMax) + MESSAGE_OVERHEAD_BYTES;
  return {
    'grpc.max_receive_message_length': messageBytesMax,
    // What is sent is bounded by what was read: limits.batchBytesMax of values, or a page.
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': limits.concurrentStreamsMax,
    'grpc.max_connection_idle_ms': limits.connectionIdleMs,
    'grpc-node.max_session_memory': Math.ceil(limits.sessionBytesMax / 1_000_000),
    'grpc.keepalive_time_ms': limits.keepaliveTimeMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    'grpc.enable_channelz': 0,
  };
}

function unaryHandlers<Operations>(
  methods: Record<string, UnaryMethod<Operations>>,
  operationsOf: (credentials: Credentials) => Operations,
  clock: Clock,
): UntypedServiceImplementation {
  const handlers: UntypedServiceImplementation = {};
  for (const [name, method] of Object.entries(methods)) {
    const { isWrite } = method;
    handlers[name] = (call: Call, callback: Callback): void => {
      guarded(
        isWrite,
        (status) => callback(status),
        () => {
          const operations = operationsOf(credentialsOf(call));
          method.call(operations, call.request, remainingMs(call, clock), (error, response) => {
            if (error !== undefined) callback(statusOf(error, isWrite));
            else callback(null, response);
          });
        },
      );
    };
  }
  return handlers;
}

function kvHandlers(
  access: Access,
  clock: Clock,
  streams: OpenStreams,
): UntypedServiceImplementation {
  const handlers = unaryHandlers(UNARY_METHODS, (credentials) => access.kv(credentials), clock);
  handlers['Scan'] = (call: StreamCall): void => {
    const fail = (status: Partial<StatusObject>) => void call.emit('error', status);
    guarded(false, fail, () => {
      const remaining = () => remainingMs(call, clock);
      const operations = access.kv(credentialsOf(call));
      streamScan(operations, call.request, remaining, messageStreamOf(call, false));
    });
  };
  handlers['Ingest'] = (call: DuplexCall): void => {
    const fail = (status: Partial<StatusObject>) => void call.emit('error', status);
    guarded(true, fail, () => {
      const operations = access.kv(credentialsOf(call));
      const remaining = () => remainingMs(call, clock);
      const ingest = new IngestStream(operations, remaining, duplexStreamOf(call));
      call.once(
        'close',
        streams.add(() => ingest.stop()),
      );
      ingest.start();
    });
  };
  return handlers;
}

function feedHandlers(access: Access, streams: OpenStreams): UntypedServiceImplementation {
  return {
    Watch: (call: StreamCall): void => {
      const fail = (status: Partial<StatusObject>) => void call.emit('error', status);
      guarded(false, fail, () => {
        const operations = access.kv(credentialsOf(call));
        const watch = streamWatch(operations, call.request, messageStreamOf(call, false));
        const forget = streams.add(() => watch.stop());
        call.once('close', forget);
      });
    },
  };
}

type ServiceHost = Pick<Server, 'addService'>;
const STOPPING = new StormError('UNAVAILABLE', 'The server is stopping: ask again');

/** Adds services of which a drain ends the calls that last until their client ends them. */
function endable(server: Server, streams: OpenStreams): ServiceHost {
  return {
    addService(definition, implementation) {
      const handlers: UntypedServiceImplementation = {};
      for (const [name, { responseStream, originalName = name }] of Object.entries(definition)) {
        const handle = implementation[name] ?? implementation[originalName];
        if (handle === undefined) continue;
        handlers[name] = responseStream ? endableHandler(handle, streams) : handle;
      }
      server.addService(definition, handlers);
    },
  };
}

function endableHandler(handle: UntypedHandleCall, streams: OpenStreams) {
  return (call: DuplexCall): void => {
    const stop = () => void call.emit('error', statusOf(STOPPING, false));
    call.once('close', streams.add(stop));
    (handle as (call: DuplexCall) => void)(call);
  };
}

/** A call's metadata and connection, before anybody has judged them. */
function credentialsOf(call: Pick<Call, 'metadata' | 'getPeer' | 'getAuthContext'>): Credentials {
  const authorization = call.metadata.get('authorization')[0];
  return {
    door: 'grpc',
    peer: hostOf(call.getPeer()),
    authorization: typeof authorization === 'string' ? authorization : undefined,
    certificate: clientCertificate(call.getAuthContext()?.sslPeerCertificate),
  };
}

/** Of HOST:PORT, where an IPv6 host has no brackets. */
function hostOf(peer: string): string {
  const colon = peer.lastIndexOf(':');
  return colon < 0 ? '' : peer.slice(0, colon);
}

function messageStreamOf(call: StreamCall | DuplexCall, isWrite: boolean): MessageStream {
  return {
    write: (message) => call.write(message),
    onRoom: (go) => void call.once('drain', () => !call.cancelled && go()),
    onCancel: (stop) => void call.on('cancelled', stop),
    end: () => void call.end(),
    fail: (error) => void call.emit('error', statusOf(error, isWrite)),
  };
}

function duplexStreamOf(call: DuplexCall): DuplexMessageStream {
  return {
    ...messageStreamOf(call, true),
    onMessage: (take) => void call.on('data', take),
    onEnd: (ended) => void call.on('end', ended),
    pause: () => void call.pause(),
    resume: () => void call.resume(),
  };
}

/** Turns what is thrown before the operation began into the call's answer. */
function guarded(
  isWrite: boolean,
  fail: (status: Partial<StatusObject>) => void,
  body: () => void,
): void {
  try {
    body();
  } catch (error) {
    const failure =
      error instanceof StormError
        ? error
        : new StormError('INTERNAL', messageOf(error), { cause: error, outcome: 'unknown' });
    fail(statusOf(failure, isWrite));
  }
}

function statusOf(error: StormError, isWrite: boolean): StatusObject {
  const metadata = new Metadata();
  for (const [name, value] of errorMetadata(error, isWrite)) metadata.set(name, value);
  return { code: GRPC_STATUS_OF[error.code], details: error.message, metadata };
}

function remainingMs(call: { getDeadline(): Date | number }, clock: Clock): number {
  const deadline = call.getDeadline();
  // A client sends a duration; grpc-js has turned it into a time of this machine's wall clock.
  return Number(deadline) - clock.wallMs();
}

/** Resolves to whether all calls finished before `deadlineMs`, when `closeAll` ends the rest. */
function shutDown(server: Server, deadlineMs: number, closeAll: () => void): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      closeAll();
      resolve(false);
    }, deadlineMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

const asIs = (bytes: Buffer): Buffer => bytes;

function method(service: string, name: string, responseStream: boolean, requestStream = false) {
  return {
    path: `/${service}/${name}`,
    requestStream,
    responseStream,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  } as const;
}

function unaryService(service: string, names: string[]): ServiceDefinition {
  return Object.fromEntries(names.map((name) => [name, method(service, name, false)]));
}

/** kv.Kv with raw messages; a client made from it must do its own encoding. */
export const KV_SERVICE: ServiceDefinition = {
  ...unaryService('kv.Kv', Object.keys(UNARY_METHODS)),
  Scan: method('kv.Kv', 'Scan', true),
  Ingest: method('kv.Kv', 'Ingest', true, true),
};

/** kv.Feed, likewise. */
export const FEED_SERVICE: ServiceDefinition = { Watch: method('kv.Feed', 'Watch', true) };

/** kv.Admin, likewise. */
export const ADMIN_SERVICE = unaryService('kv.Admin', Object.keys(ADMIN_METHODS));
