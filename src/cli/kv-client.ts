/**
 * A plain client of kv.Kv and kv.Admin over gRPC, made from proto/ like every other client: one
 * call per operation, no batching, no retries. The only client-side importer of @grpc/grpc-js.
 */
import { fileURLToPath } from 'node:url';
import { Client, type MethodDefinition, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { parseAddress } from '../base/address.js';
import { assert } from '../base/assert.js';
import { messageOf, StormError } from '../base/errors.js';
import type { ClusterStats, ReloadReport } from '../rpc/admin-operations.js';
import type { TaskStatus } from '../rpc/admin-tasks.js';
import { type ClientSecurity, channelSecurity } from '../rpc/client-security.js';
import { numberTag, ProtoReader } from '../rpc/proto-reader.js';
import { ProtoWriter } from '../rpc/proto-writer.js';
import { errorOfStatus } from '../rpc/status-map.js';

interface SetRequest extends SetExtras {
  key: string;
  value: Uint8Array;
  wantVersion?: boolean;
}
interface KeyRequest {
  key: string;
  wantVersion?: boolean;
  ifVersion?: number;
  ttlMs?: number;
}
export interface GetResponse {
  value: Buffer;
  version: number;
}
interface Versioned {
  version: number;
}

/** What a write may ask for besides. */
export interface SetExtras {
  ttlMs?: number;
  ifAbsent?: boolean;
  ifVersion?: number;
}

/** What became of a batch's entries: all that are not among the errors are written. */
export interface BatchAnswer {
  written: number;
  errors: { index: number; code: number; message: string; unknown: boolean }[];
}

/** A thread of the server; see KillWorker in kv_admin.proto. */
export type WorkerName = { kind: 'SHARD'; shard: number } | { kind: 'FLUSHER' | 'MERGER' };

export interface ScanOptions {
  prefix?: Uint8Array;
  from?: Uint8Array;
  to?: Uint8Array;
  reverse?: boolean;
  limit?: number;
  keysOnly?: boolean;
  cursor?: string;
}

export interface ScannedPage {
  entries: { key: string; value: Buffer; version: number; expiresAtMs?: number }[];
  /** Empty when there is no more. */
  cursor: string;
  freshSnapshot: boolean;
}

export interface WatchOptions {
  token?: string;
  fromNow?: boolean;
  prefix?: Uint8Array;
  name?: string;
}

/** See kv_feed.proto. */
export interface WatchedPage {
  kind: 'CHANGES' | 'GAP' | 'SNAPSHOT' | 'SNAPSHOT_END';
  shard: number;
  changes: {
    key: string;
    value: Buffer;
    version: number;
    expiresAtMs: number;
    deleted: boolean;
  }[];
  token: string;
}
type Unary<Request, Response> = MethodDefinition<Request, Response>;
type Callable<Request, Response> = Pick<
  Unary<Request, Response>,
  'path' | 'requestSerialize' | 'responseDeserialize'
>;

const PROTO_FILES = ['kv.proto', 'kv_admin.proto', 'kv_feed.proto'].map((name) =>
  fileURLToPath(new URL(`../../../proto/${name}`, import.meta.url)),
);
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
  constructor(
    target: string,
    timeoutMs: number,
    wallMs: () => number,
    security: ClientSecurity = {},
  ) {
    parseAddress(target);
    const { credentials, options } = channelSecurity(security);
    this.#client = new Client(target, credentials, { ...CHANNEL_OPTIONS, ...options });
    this.#timeoutMs = timeoutMs;
    this.#now = wallMs;
  }

  /** Resolves when the write is durable. Rejects with VersionConflict when a condition fails. */
  async set(key: string, value: Uint8Array, extras: SetExtras = {}): Promise<void> {
    await this.#call(METHODS.set, { key, value, ...extras });
  }

  /** As `set`; resolves with the version that the key now has. */
  async setVersioned(key: string, value: Uint8Array, extras: SetExtras = {}): Promise<number> {
    const request = { key, value, ...extras, wantVersion: true };
    return (await this.#call(METHODS.set, request)).version;
  }

  /** Writes many entries; the part of each shard is atomic. */
  batchSet(entries: { key: string; value: Uint8Array }[]): Promise<BatchAnswer> {
    return this.#call(METHODS.batchSet, { entries });
  }

  /** Ends a thread of a server that allows it (admin.chaos); resolves when it is gone. */
  async killWorker(worker: WorkerName): Promise<void> {
    await this.#call(METHODS.killWorker, worker);
  }

  /** The value, undefined when the key has none. */
  async get(key: string): Promise<Buffer | undefined> {
    return (await this.#find(METHODS.get, { key }))?.value;
  }

  /** The value and its version, undefined when the key has none. */
  getVersioned(key: string): Promise<GetResponse | undefined> {
    return this.#find(METHODS.get, { key, wantVersion: true });
  }

  /** Sets when the value expires, 0 = never; false when the key has no value. */
  async expire(key: string, ttlMs: number): Promise<boolean> {
    return (await this.#find(METHODS.expire, { key, ttlMs })) !== undefined;
  }

  /** What is left until the value expires, 0 = never; undefined when the key has none. */
  async ttl(key: string): Promise<number | undefined> {
    return (await this.#find(METHODS.ttl, { key }))?.ttlMs;
  }

  /** How many keys begin with the prefix, or did, and are deleted now. */
  async deletePrefix(prefix: Uint8Array, dryRun: boolean): Promise<number> {
    return (await this.#call(METHODS.deletePrefix, { prefix, dryRun })).count;
  }

  /** The same for an entry run (docs/formats/entry-run.md). */
  batchSetRun(packed: Uint8Array): Promise<BatchAnswer> {
    return this.#call(METHODS.batchSet, { packed });
  }

  /**
   * Pages in order, each fetched when the one before has been dealt with; all of them within
   * `timeoutMs`, which Infinity lifts.
   */
  async *scan(
    request: ScanOptions,
    timeoutMs: number = this.#timeoutMs,
  ): AsyncGenerator<ScannedPage> {
    const { path, requestSerialize, responseDeserialize } = METHODS.scan;
    const options = { deadline: this.#now() + timeoutMs };
    const call = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      options,
    );
    try {
      for await (const page of call) yield page as ScannedPage;
    } catch (error) {
      throw toStormError(error as ServiceError);
    } finally {
      call.cancel();
    }
  }

  /** Pages of changes, until the caller leaves it or an error. */
  async *watch(request: WatchOptions): AsyncGenerator<WatchedPage> {
    const { path, requestSerialize, responseDeserialize } = METHODS.watch;
    const call = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
    );
    try {
      for await (const page of call) yield page as WatchedPage;
    } catch (error) {
      throw toStormError(error as ServiceError);
    } finally {
      call.cancel();
    }
  }

  /** Resolves when the key has surely no value any more. */
  async delete(key: string, ifVersion = 0): Promise<void> {
    await this.#call(METHODS.delete, { key, ifVersion });
  }

  /** What the server does. */
  stats(): Promise<ClusterStats> {
    return this.#call(METHODS.stats, {});
  }

  /** Begins a backup into a folder on the server's machine. */
  startBackup(dir: string, copy: boolean): Promise<TaskStatus> {
    return this.#call(METHODS.backup, { dir, copy });
  }

  /** Begins a pass over all stored bytes. */
  startScrub(): Promise<TaskStatus> {
    return this.#call(METHODS.scrub, {});
  }

  /** Has the server read its configuration again. */
  reload(): Promise<ReloadReport> {
    return this.#call(METHODS.reload, {});
  }

  /** How far what was begun is. */
  task(id: number): Promise<TaskStatus> {
    return this.#call(METHODS.task, { id });
  }

  /** What the standard health service says of a service; empty = of the whole server. */
  async health(service: string): Promise<string> {
    return await this.#call(HEALTH_CHECK, service);
  }

  /** Calls in progress fail. */
  close(): void {
    this.#client.close();
  }

  /** Undefined instead of NOT_FOUND. */
  async #find<Request, Response>(
    method: Unary<Request, Response>,
    request: Request,
  ): Promise<Response | undefined> {
    try {
      return await this.#call(method, request);
    } catch (error) {
      if (error instanceof StormError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  #call<Request, Response>(
    method: Callable<Request, Response>,
    request: Request,
  ): Promise<Response> {
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

/** grpc.health.v1: one text to ask with, one number for an answer. */
const HEALTH_CHECK: Callable<string, string> = {
  path: '/grpc.health.v1.Health/Check',
  requestSerialize(service) {
    const writer = new ProtoWriter();
    writer.text(1, service);
    return writer.resultView();
  },
  responseDeserialize(bytes) {
    const reader = new ProtoReader(bytes);
    while (reader.next()) {
      if (reader.tag === numberTag(1)) return SERVING_STATUS[reader.number()] ?? 'UNKNOWN';
      reader.skip();
    }
    return 'UNKNOWN';
  },
};
const SERVING_STATUS = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

const METHODS = loadMethods();

function loadMethods() {
  const loaded = loadSync(PROTO_FILES, { defaults: true, longs: Number, enums: String });
  const methodsOf = (name: string): Record<string, unknown> => {
    const service = loaded[name];
    assert(service !== undefined, `${name} is in the proto files`);
    return service as unknown as Record<string, unknown>;
  };
  const methods = methodsOf('kv.Kv');
  const admin = methodsOf('kv.Admin');
  return {
    stats: admin['Stats'] as Unary<object, ClusterStats>,
    killWorker: admin['KillWorker'] as Unary<WorkerName, object>,
    backup: admin['Backup'] as Unary<{ dir: string; copy: boolean }, TaskStatus>,
    scrub: admin['Scrub'] as Unary<object, TaskStatus>,
    reload: admin['Reload'] as Unary<object, ReloadReport>,
    task: admin['Task'] as Unary<{ id: number }, TaskStatus>,
    set: methods['Set'] as Unary<SetRequest, Versioned>,
    batchSet: methods['BatchSet'] as Unary<
      { entries: SetRequest[] } | { packed: Uint8Array },
      BatchAnswer
    >,
    get: methods['Get'] as Unary<KeyRequest, GetResponse>,
    delete: methods['Delete'] as Unary<KeyRequest, object>,
    expire: methods['Expire'] as Unary<KeyRequest, Versioned>,
    ttl: methods['Ttl'] as Unary<KeyRequest, Versioned & { ttlMs: number }>,
    scan: methods['Scan'] as Unary<ScanOptions, ScannedPage>,
    watch: methodsOf('kv.Feed')['Watch'] as Unary<WatchOptions, WatchedPage>,
    deletePrefix: methods['DeletePrefix'] as Unary<
      { prefix: Uint8Array; dryRun: boolean },
      { count: number }
    >,
  };
}
