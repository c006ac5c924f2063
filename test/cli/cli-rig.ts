/** What tests of commands share: a captured world and a small store behind the real gRPC door. */

import type { StormError } from '../../src/base/errors.js';
import { systemClock } from '../../src/base/system-clock.js';
import type { CommandIo, CommandSpec } from '../../src/cli/command.js';
import { delCommand } from '../../src/cli/del-command.js';
import { expireCommand } from '../../src/cli/expire-command.js';
import { getCommand } from '../../src/cli/get-command.js';
import { runProgram } from '../../src/cli/program.js';
import { putCommand } from '../../src/cli/put-command.js';
import { reloadCommand } from '../../src/cli/reload-command.js';
import { scanCommand } from '../../src/cli/scan-command.js';
import { statsCommand } from '../../src/cli/stats-command.js';
import { tokenCommand } from '../../src/cli/token-command.js';
import { ttlCommand } from '../../src/cli/ttl-command.js';
import { openAccess } from '../../src/rpc/access.js';
import {
  GRPC_LIMITS_DEFAULT,
  type GrpcServer,
  startGrpcServer,
} from '../../src/rpc/grpc-server.js';
import { FakeAdmin } from '../harness/fake-admin.js';
import { FakeCluster, TEST_LIMITS } from '../router/fake-cluster.js';
import type { FakeShard } from '../router/fake-shard.js';

export interface CapturedIo extends CommandIo {
  /** All that went to stdout and to stderr. */
  outBytes(): Buffer;
  outText(): string;
  said: string[];
}

export function capturedIo(changes: Partial<CommandIo> = {}): CapturedIo {
  const chunks: Buffer[] = [];
  const said: string[] = [];
  return {
    out: (data) => void chunks.push(Buffer.from(data)),
    say: (message) => void said.push(message),
    outIsTerminal: false,
    errIsTerminal: false,
    env: {},
    readInput: () => Promise.resolve(Buffer.alloc(0)),
    async *streamInput() {},
    readFile: (path) => {
      throw new Error(`There is no file ${path}`);
    },
    outBytes: () => Buffer.concat(chunks),
    outText: () => Buffer.concat(chunks).toString('utf8'),
    said,
    ...changes,
  };
}

export interface StoreRig {
  /** HOST:PORT of the gRPC door. */
  target: string;
  values: StoredValues;
  /** The figures that the server gives out. */
  admin: FakeAdmin;
  /** When set, every call fails with it. */
  failure: StormError | undefined;
  cluster: FakeCluster;
  server: GrpcServer;
}

/** The one shard's keys, for tests to prepare and to look at. */
class StoredValues {
  readonly #shard: FakeShard;

  constructor(shard: FakeShard) {
    this.#shard = shard;
  }

  get size(): number {
    return this.#shard.data.size;
  }

  set(key: string, value: Buffer): void {
    const sequence = ++this.#shard.lastSequence;
    this.#shard.data.set(Buffer.from(key).toString('latin1'), { value, sequence });
  }

  get(key: string): Buffer | undefined {
    return this.#shard.data.get(Buffer.from(key).toString('latin1'))?.value;
  }
}

const LIMITS = { keyBytesMax: 4096, valueBytesMax: 100_000, batchBytesMax: 120_000 };
const RING_BYTES = 512 * 1024;
const SIZES = {
  writeRequestBytes: RING_BYTES,
  readRequestBytes: RING_BYTES,
  writeReplyBytes: RING_BYTES,
  readReplyBytes: RING_BYTES,
};

/** Calls `body` with a store in memory that listens on a free port. */
export async function withStore(body: (rig: StoreRig) => Promise<void>): Promise<void> {
  const cluster = new FakeCluster({ mode: 'loop', shardCount: 1, limits: LIMITS, sizes: SIZES });
  const limits = { ...TEST_LIMITS, ...LIMITS, ...GRPC_LIMITS_DEFAULT };
  const operations = cluster.router;
  const address = '127.0.0.1:0';
  const admin = new FakeAdmin();
  const clock = systemClock;
  const server = await startGrpcServer({
    address,
    access: openAccess(operations, admin),
    limits,
    clock,
  });
  const rig: StoreRig = {
    target: server.address,
    admin,
    values: new StoredValues(cluster.shard(0)),
    get failure() {
      return cluster.shard(0).failWith;
    },
    set failure(error) {
      cluster.shard(0).failWith = error;
    },
    cluster,
    server,
  };
  try {
    await body(rig);
  } finally {
    server.close();
    cluster.close();
  }
}

const commands: CommandSpec[] = [
  putCommand,
  getCommand,
  delCommand,
  scanCommand,
  expireCommand,
  ttlCommand,
  statsCommand,
  tokenCommand,
  reloadCommand,
];
const INFO = { name: 'stormkv', summary: 'A store', version: '1.2.3', examples: [], commands };

/** Runs the command line of a command that talks to the store. */
export async function callCommand(args: string[], changes: Partial<CommandIo> = {}) {
  const io = capturedIo(changes);
  const exit = await runProgram(INFO, args, io);
  return { exit, out: io.outText(), bytes: io.outBytes(), said: io.said };
}

/** A test body with a store; `at` are the options that lead to it. */
export function inStore(body: (rig: StoreRig, at: string[]) => Promise<void>): () => Promise<void> {
  return () => withStore((rig) => body(rig, ['--target', rig.target]));
}
