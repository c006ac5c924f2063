/**
 * A plain client of kv.Kv over gRPC, made from proto/kv.proto as any other client would be: one
 * call per operation, no batching, no retries. The only client-side importer of @grpc/grpc-js.
 */
import { fileURLToPath } from 'node:url';
import { Client, credentials, type MethodDefinition, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { parseAddress } from '../base/address.js';
import { assert } from '../base/assert.js';
import { messageOf, StormError } from '../base/errors.js';
import { errorOfStatus } from '../rpc/status-map.js';

interface SetRequest {
  key: string;
  value: Uint8Array;
}
interface KeyRequest {
  key: string;
}
interface GetResponse {
  value: Buffer;
}
type Unary<Request, Response> = MethodDefinition<Request, Response>;

const PROTO_FILE = fileURLToPath(new URL('../../../proto/kv.proto', import.meta.url));
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

const CHANNEL_OPTIONS = {
  // Without this all clients of a process would share one connection.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
};

/** One connection. Errors are StormErrors; `outcome` says what is known of a failed write. */
export class KvClient {
  readonly #client: Client;
  readonly #timeoutMs: number;
  readonly #now: () => number;

  /** Connects at the first call. Throws INVALID_ARGUMENT when the target is not HOST:PORT. */
  constructor(target: string, timeoutMs: number, wallMs: () => number) {
    parseAddress(target);
    this.#client = new Client(target, credentials.createInsecure(), CHANNEL_OPTIONS);
    this.#timeoutMs = timeoutMs;
    this.#now = wallMs;
  }

  /** Resolves when the write is durable. */
  async set(key: string, value: Uint8Array): Promise<void> {
    await this.#call(METHODS.set, { key, value });
  }

  /** The value, undefined when the key has none. */
  async get(key: string): Promise<Buffer | undefined> {
    try {
      return (await this.#call(METHODS.get, { key })).value;
    } catch (error) {
      if (error instanceof StormError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** Resolves when the key has surely no value any more. */
  async delete(key: string): Promise<void> {
    await this.#call(METHODS.delete, { key });
  }

  /** Calls in progress fail. */
  close(): void {
    this.#client.close();
  }

  #call<Request, Response>(method: Unary<Request, Response>, request: Request): Promise<Response> {
    const { path, requestSerialize, responseDeserialize } = method;
    const options = { deadline: this.#now() + this.#timeoutMs };
    return new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, response?: Response): void => {
        if (error !== null) reject(toStormError(error));
        else if (response === undefined) reject(new StormError('INTERNAL', 'An empty answer'));
        else resolve(response);
      };
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        options,
        done,
      );
    });
  }
}

function toStormError(error: ServiceError): StormError {
  const details = error.details === '' ? messageOf(error) : error.details;
  return errorOfStatus(error.code, details, (name) => {
    const [value] = error.metadata.get(name);
    return typeof value === 'string' ? value : undefined;
  });
}

const METHODS = loadMethods();

function loadMethods() {
  const loaded = loadSync(PROTO_FILE, { defaults: true });
  const service = loaded['kv.Kv'];
  assert(service !== undefined && 'Set' in service, 'kv.proto has the service');
  const methods = service as unknown as Record<string, unknown>;
  return {
    set: methods['Set'] as Unary<SetRequest, object>,
    get: methods['Get'] as Unary<KeyRequest, GetResponse>,
    delete: methods['Delete'] as Unary<KeyRequest, object>,
  };
}
