import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { chaosCommand } from '../../src/cli/chaos-command.js';
import type { CommandIo } from '../../src/cli/command.js';
import { suite } from '../harness/suite.js';
import { withStore } from './cli-rig.js';

const { test, run } = suite('chaos command');

const IO: CommandIo = {
  out: () => {},
  say: () => {},
  outIsTerminal: false,
  errIsTerminal: false,
  env: process.env,
  readInput: async () => Buffer.alloc(0),
  async *streamInput() {},
  readFile: () => Buffer.alloc(0),
};

async function failureOf(options: Record<string, string | true>): Promise<StormError> {
  try {
    await chaosCommand.run(IO, [], options);
  } catch (error) {
    if (error instanceof StormError) return error;
    throw error;
  }
  throw new Error('The command succeeded');
}

test('refuses what does not fit together, and names it', async () => {
  const both = await failureOf({ target: '127.0.0.1:1', spawn: true });
  assert.equal([both.code, /neither --spawn/.test(both.message)], ['INVALID_ARGUMENT', true]);
  const only = await failureOf({ only: 'pause,fire' });
  assert.match(only.message, /--only knows shard-kill, .*: found fire/);
  assert.match((await failureOf({ kills: 'many' })).message, /--kills must be a whole number/);
  const dir = await failureOf({ dataDir: import.meta.dirname });
  assert.match(dir.message, /must be an empty folder/);
});

test('does nothing to a server that does not allow it, and says how to allow it', () =>
  withStore(async (rig) => {
    rig.admin.failWith = new StormError('FAILED_PRECONDITION', 'admin.chaos = true is needed');
    const failure = await failureOf({ target: rig.target, kills: '1' });
    assert.equal(
      [failure.code, failure.message],
      ['FAILED_PRECONDITION', 'admin.chaos = true is needed'],
    );
  }));

run();
