/**
 * The import table: a folder of `src` is a kind of thread or a leaf, and a wrong import is a wrong
 * thread. Every exception stands here with its reason.
 */
import { type Import, importsOf } from './imports.js';
import type { Repository, Violation } from './repository.js';

/** What a folder of `src` may import besides itself; a folder that is not listed is a violation. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  storage: ['base'],
  rpc: ['base'],
  config: ['base'],
  router: ['base', 'rpc'],
  shard: ['base', 'storage', 'rpc'],
  compactor: ['base', 'storage', 'rpc'],
  supervisor: ['base', 'storage', 'rpc', 'config'],
  client: ['base', 'rpc'],
  // Work on a data dir that no server has open; a command's.
  offline: ['base', 'storage', 'rpc', 'compactor'],
  // Run in processes of their own and may use every part; nothing imports them.
  cli: [
    'base',
    'storage',
    'rpc',
    'config',
    'supervisor',
    'main',
    'offline',
    'demo',
    'chaos',
    'storm',
    'report',
  ],
  demo: ['base', 'rpc', 'config', 'cli', 'main'],
  chaos: ['base', 'rpc', 'cli', 'demo', 'report'],
  storm: ['base', 'rpc', 'config', 'client', 'cli', 'demo', 'report'],
  // From figures to pages: a leaf but for the helpers of base.
  report: ['base'],
  // The one file that assembles the cluster.
  main: ['base', 'storage', 'rpc', 'config', 'supervisor', 'compactor'],
};

/** A thread or a process of its own is entered through its first file, by URL only. */
const ENTRY = /^src\/((router|shard|compactor|storm)\/worker|cli\/stormkv)\.ts$/;
const STARTERS: Readonly<Record<string, string>> = {
  'src/shard/worker.ts': 'src/supervisor/shard-life.ts',
  'src/router/worker.ts': 'src/supervisor/router-keeper.ts',
  'src/compactor/worker.ts': 'src/compactor/compactor-pool.ts',
  'src/storm/worker.ts': 'src/storm/load-threads.ts',
  'src/cli/stormkv.ts': 'src/demo/server-process.ts',
};
/** The only files of the parts that `main.ts` may build. */
const MAIN_MAY_BUILD = ['src/compactor/compactor-pool.ts'];

/** One external package, one importing file: replacing it means rewriting that file. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@grpc/grpc-js': [
    'src/rpc/grpc-server.ts',
    // A client, which shares nothing with a server but the package.
    'src/cli/kv-client.ts',
    'src/client/channel.ts',
    'src/rpc/client-security.ts',
  ],
  '@grpc/proto-loader': ['src/cli/kv-client.ts', 'src/rpc/reflection-service.ts'],
  '@grpc/reflection': ['src/rpc/reflection-service.ts'],
  'cli-progress': ['src/demo/progress.ts'],
  'cli-table3': ['src/cli/text-table.ts'],
  commander: ['src/cli/program.ts'],
  fastify: ['src/router/http-door.ts', 'src/router/http-replies.ts'],
  'grpc-health-check': ['src/rpc/health-service.ts'],
  'lz4-napi': ['src/storage/block-codec.ts'],
  'mmap-io': ['src/storage/mapped-file.ts'],
  msgpackr: ['src/rpc/message-codec.ts'],
  pino: ['src/supervisor/log.ts'],
  piscina: ['src/compactor/compactor-pool.ts'],
  valibot: ['src/config/option-schema.ts'],
};

/** Parts of Node that reach the world: which folders and files may use them. */
const BUILTINS: Readonly<Record<string, readonly string[]>> = {
  'node:fs': [
    'src/storage/node-file-system.ts',
    // A socket and its guard, which are no data and which no simulated disk should hold.
    'src/supervisor/data-dir-lock.ts',
    // The user's own files, beside the data dir.
    'src/cli/local-files.ts',
    // What it makes for the server that it breaks.
    'src/chaos/disk-shim.ts',
  ],
  'node:fs/promises': [],
  'node:worker_threads': ['src/rpc/', 'src/router/', 'src/shard/', 'src/supervisor/', 'src/storm/'],
  'node:net': [
    'src/rpc/door-guard.ts',
    'src/rpc/door-listener.ts',
    'src/router/http-door.ts',
    'src/router/http-replies.ts',
    'src/supervisor/owner-socket.ts',
    'src/supervisor/data-dir-lock.ts',
  ],
  'node:http': ['src/router/http-door.ts', 'src/demo/http-door.ts'],
  'node:child_process': ['src/cli/', 'src/demo/', 'src/chaos/disk-shim.ts'],
};

export function checkLayers(repository: Repository): Violation[] {
  const imports = importsOf(repository).filter(({ from }) => from.startsWith('src/'));
  return imports.flatMap((one) => {
    const problem = problemOf(one);
    return problem === undefined ? [] : [{ path: one.from, line: one.line, problem }];
  });
}

function problemOf(one: Import): string | undefined {
  if (!one.specifier.startsWith('.')) return externalProblem(one);
  if (one.target === undefined || !one.target.endsWith('.ts')) {
    return `imports ${one.specifier}, which is no file of ours`;
  }
  if (one.isByUrl) return urlProblem(one, one.target);
  if (ENTRY.test(one.target)) {
    return `imports ${one.target}, which is the entry of a thread: name it by URL`;
  }
  return folderProblem(one, one.target);
}

function folderProblem({ from }: Import, target: string): string | undefined {
  const [own, other] = [layerOf(from), layerOf(target)];
  const allowed = LAYERS[own];
  if (allowed === undefined) return `is in ${own}, a folder that the import table does not know`;
  if (own === 'main' && other === 'compactor' && !MAIN_MAY_BUILD.includes(target)) {
    return `imports ${target}, which runs on another thread`;
  }
  if (own === other || allowed.includes(other)) return undefined;
  return `imports ${target}: ${own} may import ${allowed.join(', ') || 'nothing of ours'}`;
}

function urlProblem({ from }: Import, target: string): string | undefined {
  if (!ENTRY.test(target)) return `names ${target} by URL, which is no entry`;
  return from === STARTERS[target] ? undefined : `starts ${target}, which is not its business`;
}

function externalProblem({ from, specifier }: Import): string | undefined {
  if (specifier.startsWith('node:')) {
    const users = BUILTINS[specifier];
    if (users === undefined || isAmong(from, users)) return undefined;
    return `imports ${specifier}, which only ${users.join(', ') || 'nobody'} may`;
  }
  const users = PACKAGES[specifier];
  if (users === undefined) return `imports ${specifier}, which the table of packages does not know`;
  if (users.includes(from)) return undefined;
  return `imports ${specifier}, which only ${users.join(', ')} may`;
}

function isAmong(path: string, users: readonly string[]): boolean {
  return users.some((user) => (user.endsWith('/') ? path.startsWith(user) : path === user));
}

/** `src/shard/engine.ts` → `shard`; `src/main.ts` → `main`. */
function layerOf(path: string): string {
  return path.split('/')[1]?.replace(/\.ts$/, '') ?? '';
}
