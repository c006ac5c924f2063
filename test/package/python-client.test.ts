/**
 * A client in another language, made from the shipped proto file by that language's own tools, does
 * what the example says. Needs Debian's python3-grpcio and protobuf-compiler-grpc.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { smallConfig, withCluster } from '../cluster/cluster-rig.js';
import { runProcess } from '../harness/run-process.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('examples/python');
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PLUGIN = '/usr/bin/grpc_python_plugin';
const python = ['/usr/bin/python3', 'python3'].find(
  (each) => spawnSync(each, ['-c', 'import grpc, google.protobuf']).status === 0,
);

test('sets, gets, batches, ingests and scans', async () => {
  const hasCompiler = existsSync(PLUGIN) && spawnSync('protoc', ['--version']).status === 0;
  if (python === undefined || !hasCompiler) {
    console.info('Skipped: apt-get install python3-grpcio protobuf-compiler-grpc');
    return;
  }
  await withTempDir(async (dir) => {
    const made = spawnSync('protoc', [
      ...['-I', join(ROOT, 'proto'), `--python_out=${dir}`, `--grpc_python_out=${dir}`],
      ...[`--plugin=protoc-gen-grpc_python=${PLUGIN}`, join(ROOT, 'proto/kv.proto')],
    ]);
    assert.is(made.status, 0, made.stderr.toString());
    await withCluster(smallConfig(join(dir, 'data')), async ({ grpcAddress }) => {
      const script = join(ROOT, 'examples/python/storm_client.py');
      const env = { ...process.env, PYTHONPATH: dir, PYTHONDONTWRITEBYTECODE: '1' };
      const { code, output } = await runProcess(python, [script, grpcAddress], { env });
      assert.is(code, 0, output);
      assert.match(output, /Scan: ok[\s\S]*done\n$/);
    });
  });
}, 120_000);

run();
