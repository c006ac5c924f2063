import * as assert from 'uvu/assert';
import { EXIT } from '../../src/cli/exit-codes.js';
import { healthCommand } from '../../src/cli/health-command.js';
import { runProgram } from '../../src/cli/program.js';
import { suite } from '../harness/suite.js';
import { capturedIo, withStore } from './cli-rig.js';

const { test, run } = suite('stormkv health');

async function health(...args: string[]) {
  const io = capturedIo();
  const info = { name: 'stormkv', summary: 'A store', version: '1', examples: [] };
  const exit = await runProgram({ ...info, commands: [healthCommand] }, ['health', ...args], io);
  return { exit, out: io.outText(), said: io.said.join('\n') };
}

test('says whether the server serves, by text and exit code', () =>
  withStore(async ({ target, server }) => {
    const at = ['--target', target];
    assert.equal(await health(...at), { exit: EXIT.unavailable, out: 'NOT_SERVING\n', said: '' });
    server.setServing(true);
    assert.equal(await health(...at), { exit: EXIT.ok, out: 'SERVING\n', said: '' });
    const json = await health(...at, '--service', 'kv.Kv', '--json');
    assert.equal(JSON.parse(json.out), { service: 'kv.Kv', status: 'SERVING' });
    assert.is((await health(...at, '--service', 'kv.Nobody')).exit, EXIT.notFound);
  }));

test('cannot reach a server that is not there', async () => {
  // A server that has just ended has left its port free.
  let gone = '';
  await withStore(async ({ target }) => {
    gone = target;
  });
  const { exit, said } = await health('--target', gone);
  assert.is(exit, EXIT.unavailable);
  assert.match(said, /Is the server running/);
});

run();
