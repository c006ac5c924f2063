import { writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { configCommand } from '../../src/cli/config-command.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { readLocalFile } from '../../src/cli/local-files.js';
import { runProgram } from '../../src/cli/program.js';
import { CONFIG_PATHS } from '../../src/config/option-table.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { capturedIo } from './cli-rig.js';

const { test, run } = suite('stormkv config');

async function config(args: string[], env: Record<string, string> = {}) {
  const io = capturedIo({ env, readFile: readLocalFile });
  const info = { name: 'stormkv', summary: 'A store', version: '1', examples: [] };
  const exit = await runProgram({ ...info, commands: [configCommand] }, ['config', ...args], io);
  return { exit, out: io.outText(), said: io.said.join('\n') };
}

async function withFile(content: object | string, body: (path: string) => Promise<void>) {
  await withTempDir((dir) => {
    const path = `${dir}/some.json`;
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    return body(path);
  });
}

test('print tells the value and origin of every option: flag, environment, file, default', () =>
  withFile({ shards: { count: 3 }, wal: { sync: 'interval' } }, async (path) => {
    const flags = ['--config', path, '--shards', '4', '--effective', '--show-origin'];
    const env = { STORMKV_WAL_SPARES_MAX: '2' };
    const { exit, out } = await config(['print', ...flags], env);
    assert.is(exit, EXIT.ok);
    assert.match(out, /^shards\.count +4 +flag --shards$/m);
    assert.match(out, /^wal\.sparesMax +2 +environment STORMKV_WAL_SPARES_MAX$/m);
    assert.match(out, /^wal\.sync +"interval" +file .*some\.json line 1, column \d+$/m);
    assert.match(out, /^read\.mode +"auto" +default$/m);
    assert.is(out.trimEnd().split('\n').length, CONFIG_PATHS.length);
    const json = JSON.parse((await config(['print', ...flags, '--json'], env)).out) as object[];
    assert.is(json.length, CONFIG_PATHS.length);
    const found = json.find((row) => 'option' in row && row.option === 'shards.count');
    const origin = { kind: 'flag', name: '--shards' };
    assert.equal(found, { option: 'shards.count', value: 4, origin });
  }));

test('print leaves defaults out unless they are asked for', () =>
  withFile({ wal: { sync: 'os' } }, async (path) => {
    assert.is((await config(['print', path])).out, 'wal.sync   "os"\n');
  }));

test('check lists every fault and exits with 2, for scripts as JSON', () =>
  withFile({ wal: { sync: 'never', blokBytes: 1 }, shards: { count: -1 } }, async (path) => {
    const { exit, out, said } = await config(['check', path]);
    assert.is(exit, EXIT.usage);
    assert.is(out.trimEnd().split('\n').length, 3, out);
    assert.match(said, /3 faults/);
    const json = JSON.parse((await config(['check', path, '--json'])).out);
    assert.is(json.ok, false);
    assert.is(json.faults.length, 3);
  }));

test('check finds a budget that is too small, and what is good it calls good', () =>
  withFile({ memory: { bytesMax: 4 * 1024 * 1024 } }, async (path) => {
    const small = await config(['check', path]);
    assert.is(small.exit, EXIT.usage);
    assert.match(small.out, /memory\.bytesMax/);
    const good = await config(['check', path], { STORMKV_MEMORY_BYTES_MAX: '1073741824' });
    assert.equal([good.exit, good.out], [EXIT.ok, '']);
    assert.match(good.said, /is good/);
  }));

test('refuses another action, and a file that is not there', async () => {
  assert.is((await config(['show'])).exit, EXIT.usage);
  const missing = await config(['check', '/nowhere/kv.config.json']);
  assert.is(missing.exit, EXIT.usage);
  assert.match(missing.said, /nowhere/);
});

run();
