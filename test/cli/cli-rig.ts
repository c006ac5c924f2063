/** What tests of commands share: a captured world and a small store behind the real gRPC door. */
import type { StormError } from '../../src/base/errors.js';
import { systemClock } from '../../src/base/system-clock.js';
import type { CommandIo, CommandSpec } from '../../src/cli/command.js';
import { delCommand } from '../../src/cli/del-command.js';
import { getCommand } from '../../src/cli/get-command.js';
import { runProgram } from '../../src/cli/program.js';
import { putCommand } from '../../src/cli/put-command.js';
import { GRPC_LIMITS_DEFAULT, startGrpcServer } from '../../src/rpc/grpc-server.js';
import type { KvOperations } from '../../src/rpc/kv-operations.js';

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
  values: Map<string, Buffer>;
  /** When set, every call fails with it. */
  failure: StormError | undefined;
}

/** Calls `body` with a store in memory that listens on a free port. */
export async function withStore(body: (rig: StoreRig) => Promise<void>): Promise<void> {
  const rig: StoreRig = { target: '', values: new Map(), failure: undefined };
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
  const operations: KvOperations = {
    set(key, value, _timeoutMs, done) {
      if (rig.failure === undefined) rig.values.set(text(key), Buffer.from(value));
      done(rig.failure, 1);
    },
    delete(key, _timeoutMs, done) {
      if (rig.failure === undefined) rig.values.delete(text(key));
      done(rig.failure, 1);
    },
    get: (key, _timeoutMs, done) => done(rig.failure, rig.values.get(text(key)), 1),
  };
  const limits = { keyBytesMax: 4096, valueBytesMax: 1_048_576, ...GRPC_LIMITS_DEFAULT };
  const address = '127.0.0.1:0';
  const server = await startGrpcServer({ address, operations, limits, clock: systemClock });
  rig.target = server.address;
  try {
    await body(rig);
  } finally {
    server.close();
  }
}

const commands: CommandSpec[] = [putCommand, getCommand, delCommand];
const INFO = { name: 'stormkv', summary: 'A store', version: '1.2.3', examples: [], commands };

/** Runs a command line of put, get or del. */
export async function callCommand(args: string[], changes: Partial<CommandIo> = {}) {
  const io = capturedIo(changes);
  const exit = await runProgram(INFO, args, io);
  return { exit, out: io.outText(), bytes: io.outBytes(), said: io.said };
}

/** A test body with a store; `at` are the options that lead to it. */
export function inStore(body: (rig: StoreRig, at: string[]) => Promise<void>): () => Promise<void> {
  return () => withStore((rig) => body(rig, ['--target', rig.target]));
}
