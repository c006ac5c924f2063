/**
 * One connection to a server: raw messages over gRPC, failures as StormErrors. The only file of the
 * client that imports @grpc/grpc-js.
 */
import { Client, type ServiceError } from '@grpc/grpc-js';
import { parseAddress } from '../base/address.js';
import { messageOf, StormError } from '../base/errors.js';
import { type ClientSecurity, channelSecurity } from '../rpc/client-security.js';
import { errorOfStatus } from '../rpc/status-map.js';

const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;
/** A connection's share of what a stream may have on its way; HTTP/2 begins with 64 KiB. */
const FLOW_CONTROL_BYTES = 4 * 1024 * 1024;
const OPTIONS = {
  // Without this all clients of a process would share one connection.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
  'grpc-node.flow_control_window': FLOW_CONTROL_BYTES,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  // The client retries by itself: it knows which writes may be repeated.
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
};

export type UnaryDone = (error: StormError | undefined, response: Buffer) => void;

/** Both directions of one call. */
export interface MessageDuplex {
  /** False when it has enough for now; `onDrain` is called when it wants more. */
  write(message: Buffer): boolean;
  /** No more messages from this side. */
  end(): void;
  cancel(): void;
}

export interface DuplexHandlers {
  onMessage(message: Buffer): void;
  onDrain(): void;
  /** The last that is heard of the call; without an error when the server ended it well. */
  onEnd(error: StormError | undefined): void;
}

/** What the client needs of a connection; another one in tests. */
export interface Channel {
  readonly target: string;
  /** Resolves when the server is connected; rejects with UNAVAILABLE after `deadlineMs`. */
  ready(deadlineMs: number): Promise<void>;
  unary(path: string, message: Buffer, timeoutMs: number, done: UnaryDone): void;
  duplex(path: string, handlers: DuplexHandlers): MessageDuplex;
  /** Messages as they come; leaving the loop cancels the call. */
  stream(path: string, message: Buffer, timeoutMs: number): AsyncIterable<Buffer>;
  close(): void;
}

/** Connects at the first call. Throws INVALID_ARGUMENT when the target is not HOST:PORT. */
export function openChannel(
  target: string,
  wallMs: () => number,
  security: ClientSecurity = {},
): Channel {
  parseAddress(target);
  const { credentials, options: secured } = channelSecurity(security);
  const client = new Client(target, credentials, { ...OPTIONS, ...secured });
  const deadlineIn = (ms: number) => (ms === Infinity ? Infinity : wallMs() + ms);
  return {
    target,
    ready: (deadlineMs) =>
      new Promise((resolve, reject) => {
        client.waitForReady(deadlineIn(deadlineMs), (error) => {
          if (error === undefined) resolve();
          else reject(unreachableError(target));
        });
      }),
    unary(path, message, timeoutMs, done) {
      const options = { deadline: deadlineIn(timeoutMs) };
      client.makeUnaryRequest(path, asIs, asIs, message, options, (error, response) => {
        if (error !== null) done(toStormError(error), EMPTY);
        else done(undefined, response ?? EMPTY);
      });
    },
    duplex: (path, handlers) => openDuplex(client, path, handlers),
    async *stream(path, message, timeoutMs) {
      const options = { deadline: deadlineIn(timeoutMs) };
      const call = client.makeServerStreamRequest(path, asIs, asIs, message, options);
      try {
        for await (const response of call) yield response as Buffer;
      } catch (error) {
        throw toStormError(error as ServiceError);
      } finally {
        call.cancel();
      }
    },
    close: () => client.close(),
  };
}

function openDuplex(client: Client, path: string, handlers: DuplexHandlers): MessageDuplex {
  const call = client.makeBidiStreamRequest(path, asIs, asIs);
  let isOver = false;
  const over = (error: StormError | undefined): void => {
    if (isOver) return;
    isOver = true;
    handlers.onEnd(error);
  };
  call.on('data', (message: Buffer) => !isOver && handlers.onMessage(message));
  call.on('drain', () => !isOver && handlers.onDrain());
  call.on('error', (error: ServiceError) => over(toStormError(error)));
  call.on('end', () => over(undefined));
  return {
    write: (message) => call.write(message),
    end: () => void call.end(),
    cancel: () => call.cancel(),
  };
}

/** Nothing was sent: what waits for the connection may be sent elsewhere. */
export function unreachableError(target: string): StormError {
  const text = `Cannot connect to ${target}: is the server running, and is the address right?`;
  return new StormError('UNAVAILABLE', text);
}

function toStormError(error: ServiceError): StormError {
  const details =
    error.details === undefined || error.details === '' ? messageOf(error) : error.details;
  return errorOfStatus(error.code, details, (name) => {
    const [value] = error.metadata?.get(name) ?? [];
    return typeof value === 'string' ? value : undefined;
  });
}

const asIs = (bytes: Buffer): Buffer => bytes;
const EMPTY = Buffer.alloc(0);
