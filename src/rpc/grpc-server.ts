/**
 * The gRPC door: service kv.Kv of proto/kv.proto over any KvOperations. The only server-side
 * importer of @grpc/grpc-js; runs on a router thread, on plain sockets.
 *
 * The listener is ours and hands its sockets to grpc-js: so connections can be counted, and ended
 * when a drain takes too long (grpc-js 1.14 forgets its sessions when channelz is off, and its
 * forceShutdown then ends nothing).
 *
 * grpc-js passes raw message bytes through: a decoder that throws inside of it would answer
 * INTERNAL, while what a client sends wrong is INVALID_ARGUMENT. Messages larger than the largest
 * key and value together are refused by grpc-js itself, with RESOURCE_EXHAUSTED, before they are
 * buffered.
 */
import { createServer, type Server as Listener, type Socket } from 'node:net';
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type StatusObject,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { formatAddress, type HostPort, parseAddress } from '../base/address.js';
import type { Clock } from '../base/clock.js';
import { messageOf, StormError } from '../base/errors.js';
import { decodeKvRequest, encodeGetResponse } from './kv-codec.js';
import type { KvOperations } from './kv-operations.js';
import { errorMetadata, GRPC_STATUS_OF } from './status-map.js';

export interface GrpcLimits {
  keyBytesMax: number;
  valueBytesMax: number;
  connectionsMax: number;
  /** Calls at once on one connection. */
  concurrentStreamsMax: number;
  /** How often an idle connection is probed, and how long an answer may take. */
  keepaliveTimeMs: number;
  keepaliveTimeoutMs: number;
}

export const GRPC_LIMITS_DEFAULT = {
  connectionsMax: 4096,
  concurrentStreamsMax: 1024,
  keepaliveTimeMs: 30_000,
  keepaliveTimeoutMs: 10_000,
} as const;

export interface GrpcServerOptions {
  /** HOST:PORT; port 0 takes any. */
  address: string;
  operations: KvOperations;
  limits: GrpcLimits;
  clock: Clock;
}

export interface GrpcServer {
  /** HOST:PORT with the real port. */
  readonly address: string;
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
const EMPTY = Buffer.alloc(0);
type Call = ServerUnaryCall<Buffer, Buffer>;
type Callback = sendUnaryData<Buffer>;

/** Resolves when the port is bound; rejects with UNAVAILABLE when it cannot be. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const wanted = parseAddress(options.address);
  const server = new Server(channelOptions(options.limits));
  server.addService(KV_SERVICE, handlersOf(options.operations, options.clock));
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  const listener = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  listener.maxConnections = options.limits.connectionsMax;
  const port = await listen(listener, wanted);
  const closeAll = () => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: formatAddress({ host: wanted.host, port }),
    drain(deadlineMs) {
      listener.close();
      return shutDown(server, deadlineMs, closeAll);
    },
    close() {
      closeAll();
      server.forceShutdown();
    },
  };
}

function channelOptions(limits: GrpcLimits) {
  const messageBytesMax = limits.keyBytesMax + limits.valueBytesMax + MESSAGE_OVERHEAD_BYTES;
  return {
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': messageBytesMax,
    'grpc.max_concurrent_streams': limits.concurrentStreamsMax,
    'grpc.keepalive_time_ms': limits.keepaliveTimeMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    'grpc.enable_channelz': 0,
  };
}

function handlersOf(operations: KvOperations, clock: Clock) {
  return {
    Set(call: Call, callback: Callback): void {
      guarded(callback, true, () => {
        const { key, value } = decodeKvRequest(call.request);
        operations.set(key, value, remainingMs(call, clock), (error) => {
          if (error !== undefined) fail(callback, error, true);
          else callback(null, EMPTY);
        });
      });
    },
    Delete(call: Call, callback: Callback): void {
      guarded(callback, true, () => {
        const { key } = decodeKvRequest(call.request);
        operations.delete(key, remainingMs(call, clock), (error) => {
          if (error !== undefined) fail(callback, error, true);
          else callback(null, EMPTY);
        });
      });
    },
    Get(call: Call, callback: Callback): void {
      guarded(callback, false, () => {
        const { key } = decodeKvRequest(call.request);
        operations.get(key, remainingMs(call, clock), (error, value) => {
          if (error !== undefined) fail(callback, error, false);
          else if (value === undefined) fail(callback, NOT_FOUND, false);
          else callback(null, encodeGetResponse(value));
        });
      });
    },
  };
}

const NOT_FOUND = new StormError('NOT_FOUND', 'The key has no value');

/** Turns what is thrown before the operation began into the call's answer. */
function guarded(callback: Callback, isWrite: boolean, body: () => void): void {
  try {
    body();
  } catch (error) {
    const failure =
      error instanceof StormError
        ? error
        : new StormError('INTERNAL', messageOf(error), { cause: error, outcome: 'unknown' });
    fail(callback, failure, isWrite);
  }
}

function fail(callback: Callback, error: StormError, isWrite: boolean): void {
  const metadata = new Metadata();
  for (const [name, value] of errorMetadata(error, isWrite)) metadata.set(name, value);
  const status: StatusObject = {
    code: GRPC_STATUS_OF[error.code],
    details: error.message,
    metadata,
  };
  callback(status);
}

function remainingMs(call: Call, clock: Clock): number {
  const deadline = call.getDeadline();
  // A client sends a duration; grpc-js has turned it into a time of this machine's wall clock.
  return Number(deadline) - clock.wallMs();
}

function listen(listener: Listener, { host, port }: HostPort): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => {
      const text = `Cannot listen for gRPC on ${formatAddress({ host, port })}: ${cause.message}`;
      reject(new StormError('UNAVAILABLE', text, { cause }));
    };
    listener.once('error', fail);
    listener.listen({ host, port }, () => {
      listener.off('error', fail);
      const bound = listener.address();
      resolve(bound !== null && typeof bound === 'object' ? bound.port : port);
    });
  });
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

function unary(name: string) {
  return {
    path: `/kv.Kv/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  } as const;
}

/** kv.Kv with raw messages; a client made from it must do its own encoding. */
export const KV_SERVICE = {
  Set: unary('Set'),
  Get: unary('Get'),
  Delete: unary('Delete'),
} satisfies ServiceDefinition;
