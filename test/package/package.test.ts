/**
 * What `npm pack` makes: its list of files, and its use from an empty project elsewhere, as a
 * program and as a library, from JavaScript and TypeScript. npm works from its cache alone; where
 * that lacks a package, the part that installs is skipped and says so.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { ServerProcess } from '../../src/demo/server-process.js';
import { runProcess } from '../harness/run-process.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('The package');
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BUILD = fileURLToPath(new URL('../../', import.meta.url));
const PATIENCE_MS = 300_000;
const NOT_CACHED = /ENOTCACHED|ECONNREFUSED|EAI_AGAIN|ENOTFOUND/;

interface Packed {
  filename: string;
  files: { path: string; size: number }[];
}

/** Packs a folder that is the project but for its build, which is this test's own. */
async function pack(dir: string): Promise<Packed> {
  const project = join(dir, 'project');
  mkdirSync(project);
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const scripts = { ...manifest.scripts, prepare: undefined };
  writeFileSync(join(project, 'package.json'), JSON.stringify({ ...manifest, scripts }));
  const parts: string[] = manifest.files;
  for (const part of parts) {
    const source = part === 'dist/src' ? join(BUILD, 'src') : join(ROOT, part);
    const target = join(project, part);
    mkdirSync(join(target, '..'), { recursive: true });
    if (part.startsWith('!')) continue;
    const copied = await runProcess('cp', ['-r', source, target]);
    assert.is(copied.code, 0, copied.output);
  }
  const { code, output } = await runProcess('npm', ['pack', '--json', '--loglevel=silent'], {
    cwd: project,
  });
  assert.is(code, 0, output);
  const [packed] = JSON.parse(output.slice(output.indexOf('['))) as Packed[];
  assert.ok(packed);
  return { ...packed, filename: join(project, packed.filename) };
}

const MAIN = `
import { startCluster } from 'stormkv';
import { connect } from 'stormkv/client';
const at = { address: '127.0.0.1:0' };
const cluster = await startCluster(
  { data: { dir: './embedded' }, shards: { count: 2 }, grpc: at, http: at },
);
const client = connect({ endpoints: [cluster.grpcAddress] });
await client.set('k', Buffer.from('v'));
const value = await client.get('k');
if (value?.toString() !== 'v') throw new Error('found ' + value);
await client.close();
await cluster.close();
console.log('embedded ok');
`;
const TYPED = `
import { type Cluster, type PartialConfig, startCluster } from 'stormkv';
import { connect, type StormClient } from 'stormkv/client';
const options: PartialConfig = { wal: { sync: 'always' } };
export async function use(): Promise<string | undefined> {
  const cluster: Cluster = await startCluster(options);
  const client = connect({ endpoints: [cluster.grpcAddress] });
  const value = await client.get('k');
  // @ts-expect-error there is no such mode
  const wrong: PartialConfig = { wal: { sync: 'never' } };
  return value === undefined ? String(wrong) : Buffer.from(value).toString();
}
`;
const TSCONFIG = {
  compilerOptions: {
    ...{ target: 'ES2022', module: 'NodeNext', moduleResolution: 'NodeNext', strict: true },
    ...{ noEmit: true, types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')] },
  },
  files: ['typed.ts'],
};

async function useAsProgram(app: string): Promise<void> {
  const bin = join(app, 'node_modules/.bin/stormkv');
  const version = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version;
  assert.is((await runProcess(bin, ['--version'], { cwd: app })).output, `${version}\n`);
  const script = join(app, 'node_modules/stormkv/dist/src/cli/stormkv.js');
  const config = join(app, 'kv.config.json');
  writeFileSync(config, '{}');
  const server = await ServerProcess.start({
    config,
    ...{ dataDir: join(app, 'data'), shardCount: 2, script, readyTimeoutMs: PATIENCE_MS },
    env: { PATH: process.env['PATH'], STORMKV_LOG_LEVEL: 'error' },
  });
  const at = ['--target', server.info.grpcAddress, '--timeout-ms', '60000'];
  const put = await runProcess(bin, ['put', 'k', 'v', ...at], { cwd: app });
  assert.is(put.code, 0, put.output);
  assert.is((await runProcess(bin, ['get', 'k', ...at], { cwd: app })).output.trimEnd(), 'v');
  assert.is((await runProcess(bin, ['health', ...at], { cwd: app })).output, 'SERVING\n');
  assert.is((await server.end('SIGTERM')).code, 0);
}

test(
  'has what a user needs and nothing else, and works in an empty project',
  () =>
    withTempDir(async (dir) => {
      const { filename, files } = await pack(dir);
      const names = files.map(({ path }) => path);
      for (const wanted of ['dist/src/cli/stormkv.js', 'dist/src/main.d.ts', 'proto/kv.proto']) {
        assert.ok(names.includes(wanted), wanted);
      }
      const unwanted = names.filter((name) =>
        /(^|\/)(test|testdata|bench|node_modules)\/|\.(map|tsbuildinfo|ts)$/.test(
          name.replace(/\.d\.ts$/, '.d'),
        ),
      );
      assert.equal(unwanted, []);
      const app = join(dir, 'app');
      mkdirSync(app);
      writeFileSync(join(app, 'package.json'), JSON.stringify({ type: 'module', private: true }));
      const install = ['install', '--offline', '--no-audit', '--no-fund', '--ignore-scripts'];
      const installed = await runProcess('npm', [...install, filename], { cwd: app });
      if (installed.code !== 0 && NOT_CACHED.test(installed.output)) {
        console.info(`Skipped: npm's cache lacks a package\n${installed.output.slice(0, 400)}`);
        return;
      }
      assert.is(installed.code, 0, installed.output);
      // A dependency under another name than its own, which reaches only who declares it so.
      const alias = JSON.parse(
        readFileSync(join(app, 'node_modules/mmap-io/package.json'), 'utf8'),
      );
      assert.is(alias.name, '@riaskov/mmap-io');
      await useAsProgram(app);
      writeFileSync(join(app, 'main.mjs'), MAIN);
      const embedded = await runProcess(process.execPath, ['main.mjs'], { cwd: app });
      assert.match(embedded.output, /embedded ok/);
      writeFileSync(join(app, 'typed.ts'), TYPED);
      writeFileSync(join(app, 'tsconfig.json'), JSON.stringify(TSCONFIG));
      const tsc = join(ROOT, 'node_modules/.bin/tsc');
      const checked = await runProcess(tsc, ['-p', 'tsconfig.json'], { cwd: app });
      assert.is(checked.code, 0, checked.output);
    }),
  PATIENCE_MS,
);

run();
