/** A client of a gRPC door over fake shards, and a channel and timers that the test drives. */

import { StormError } from '../../src/base/errors.js';
import { systemClock } from '../../src/base/system-clock.js';
import type {
  Channel,
  DuplexHandlers,
  MessageDuplex,
  UnaryDone,
} from '../../src/client/channel.js';
import { connect, type StormClient } from '../../src/client/client.js';
import type { ClientOptions } from '../../src/client/options.js';
import type { ClientTimers } from '../../src/client/timers.js';
import { openAccess } from '../../src/rpc/access.js';
import { encodeBatchSetResponse } from '../../src/rpc/batch-codec.js';
import { GRPC_LIMITS_DEFAULT, startGrpcServer } from '../../src/rpc/grpc-server.js';
import type { EntryError } from '../../src/rpc/kv-operations.js';
import { FakeAdmin } from '../harness/fake-admin.js';
import { FakeCluster, type FakeClusterOptions, TEST_LIMITS } from '../router/fake-cluster.js';

export interface ClientHouse {
  cluster: FakeCluster;
  kv: StormClient;
  address: string;
}

export async function withClient(
  body: (house: ClientHouse) => Promise<void>,
  options: Partial<ClientOptions> = {},
  clusterOptions: Partial<FakeClusterOptions> = {},
): Promise<void> {
  const cluster = new FakeCluster({ mode: 'loop', ...clusterOptions });
  const server = await startGrpcServer({
    address: '127.0.0.1:0',
    access: openAccess(cluster.router, new FakeAdmin()),
    limits: { ...GRPC_LIMITS_DEFAULT, ...TEST_LIMITS },
    clock: systemClock,
  });
  const kv = connect({
    endpoints: [server.address],
    deadlineMs: 20_000,
    batchEntriesMax: 20,
    ...options,
  });
  try {
    await body({ cluster, kv, address: server.address });
  } finally {
    await kv.close();
    server.close();
    cluster.close();
  }
}

/** Time that stands still until it is told to go on. */
export class ManualTimers implements ClientTimers {
  nowMs = 1000;
  readonly #tasks: { atMs: number; task: () => void }[] = [];

  wallMs = (): number => this.nowMs;
  monotonicMs = (): number => this.nowMs;
  random = (): number => 0.5;

  after(ms: number, task: () => void): () => void {
    const entry = { atMs: this.nowMs + ms, task };
    this.#tasks.push(entry);
    return () => {
      const at = this.#tasks.indexOf(entry);
      if (at >= 0) this.#tasks.splice(at, 1);
    };
  }

  soon(task: () => void): void {
    this.after(0, task);
  }

  /** Lets so much time pass, and every task whose time has come run. */
  pass(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      const next = this.#tasks.filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#tasks.splice(this.#tasks.indexOf(next), 1);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.task();
    }
    this.nowMs = end;
  }
}

/** A connection whose server is the test. */
export class FakeChannel implements Channel {
  readonly target = 'fake:1';
  readonly batches: Buffer[] = [];
  readonly calls: { path: string; message: Buffer; timeoutMs: number; done: UnaryDone }[] = [];
  isReachable = true;
  isClosed = false;
  streams = 0;
  /** Batches that the stream takes before it wants to drain. */
  room = Number.POSITIVE_INFINITY;
  #handlers: DuplexHandlers | undefined;

  ready(): Promise<void> {
    if (this.isReachable) return Promise.resolve();
    return Promise.reject(new StormError('UNAVAILABLE', 'unreachable'));
  }

  unary(path: string, message: Buffer, timeoutMs: number, done: UnaryDone): void {
    this.calls.push({ path, message, timeoutMs, done });
  }

  duplex(_path: string, handlers: DuplexHandlers): MessageDuplex {
    this.streams++;
    this.#handlers = handlers;
    return {
      write: (message) => {
        this.batches.push(message);
        return --this.room > 0;
      },
      end: () => {},
      cancel: () => {},
    };
  }

  // biome-ignore lint/correctness/useYield: no test of this channel scans
  async *stream(): AsyncIterable<Buffer> {
    throw new Error('not here');
  }

  close(): void {
    this.isClosed = true;
  }

  answer(written: number, errors: EntryError[] = []): void {
    this.#handlers?.onMessage(encodeBatchSetResponse({ written, errors }));
  }

  drain(): void {
    this.room = Number.POSITIVE_INFINITY;
    this.#handlers?.onDrain();
  }

  endStream(error: StormError | undefined): void {
    this.#handlers?.onEnd(error);
  }
}

/** Lets promises settle. */
export async function microtasks(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
