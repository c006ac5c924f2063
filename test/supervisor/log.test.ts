import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createLog, type LogOptions } from '../../src/supervisor/log.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('createLog');

function linesOf(level: LogOptions['level']): Promise<Record<string, unknown>[]> {
  return withTempDir((dir) => {
    const path = join(dir, 'log');
    const fd = openSync(path, 'w');
    const log = createLog({ level, fd });
    log.write('debug', 'small');
    log.write('error', 'large', { shard: 3, component: 'shard' });
    // Read at once: a line is written when `write` returns.
    const text = readFileSync(path, 'utf8');
    closeSync(fd);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  });
}

test('writes one JSON line per event at once, with its fields', async () => {
  const lines = await linesOf('debug');
  assert.is(lines.length, 2);
  const { time, ...rest } = lines[1] ?? {};
  assert.type(time, 'number');
  const { pid } = process;
  assert.equal(rest, { level: 'error', pid, shard: 3, component: 'shard', msg: 'large' });
});

test('leaves out what is less important than the level', async () => {
  assert.equal(
    (await linesOf('info')).map(({ msg }) => msg),
    ['large'],
  );
  assert.equal(await linesOf('silent'), []);
});

run();
