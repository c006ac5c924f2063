import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { EXIT, exitCodeOf } from '../../src/cli/exit-codes.js';
import { loadCommand } from '../../src/cli/load-command.js';
import { DumpEncoder } from '../../src/offline/dump-format.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { capturedIo, inStore } from './cli-rig.js';

const { test, run } = suite('stormkv load');

function dumpOf(keys: string[]): string {
  const encoder = new DumpEncoder('ndjson');
  const entries = keys.map((key) => {
    return { key: Buffer.from(key), value: Buffer.from(`of ${key}`), version: 1, expiresAtMs: 0 };
  });
  const parts = [encoder.header({ at: '', prefix: '' }), encoder.entriesOf(entries)];
  return Buffer.concat([...parts, encoder.trailer(false)]).toString();
}

async function load(text: string, target: string, options: Record<string, string> = {}) {
  return await withTempDir(async (dir) => {
    const file = join(dir, 'dump');
    writeFileSync(file, text);
    const io = capturedIo();
    try {
      const given = { target, timeoutMs: '20000', ...options };
      return { exit: await loadCommand.run(io, [file], given), said: io.said, error: '' };
    } catch (error) {
      return { exit: exitCodeOf(error), said: io.said, error: String(error) };
    }
  });
}

test(
  'writes what the dump has, and passes over the lines before --from-line',
  inStore(async ({ target, values }) => {
    const { exit, said } = await load(dumpOf(['a', 'b', 'c']), target, { fromLine: '3' });
    assert.is(exit, EXIT.ok);
    assert.equal(
      ['a', 'b', 'c'].map((key) => values.get(key)?.toString()),
      [undefined, 'of b', 'of c'],
    );
    assert.match(said.join('\n'), /^2 entries written, 0 had expired, 0 were wrong, in 5 lines/);
  }),
);

test(
  'a dump that was cut short or changed is loaded as far as it goes, and exits 5',
  inStore(async ({ target, values }) => {
    const whole = dumpOf(['a', 'b']);
    const cut = await load(whole.slice(0, whole.lastIndexOf('{')), target);
    assert.is(cut.exit, EXIT.corruption);
    assert.match(cut.error, 'cut short');
    assert.is(values.get('b')?.toString(), 'of b');
    const changed = await load(whole.replace('"key":"b"', '"key":"x"'), target);
    assert.is(changed.exit, EXIT.corruption);
    assert.match(changed.error, 'count or checksum');
  }),
);

test(
  'plain lines are taken; each wrong one is told with its number, and exits 1',
  inStore(async ({ target, values }) => {
    const lines = ['{"key":"a","value":"YQ=="}', 'junk', '{"key":"","value":""}'];
    const { exit, said } = await load(lines.join('\n'), target);
    assert.is(exit, EXIT.failure);
    assert.is(values.get('a')?.toString(), 'a');
    assert.match(said[0] ?? '', /^line 2: The line is wrong: it is not valid JSON/);
    assert.match(said[1] ?? '', /^line 3: The key must not be empty/);
    assert.match(said.at(-1) ?? '', 'plain lines');
  }),
);

test('a server that is not there ends it with the line to go on from', async () => {
  const { exit, said, error } = await load(dumpOf(['a']), '127.0.0.1:1', { timeoutMs: '200' });
  assert.is(exit, EXIT.unavailable);
  assert.match(error, '127.0.0.1:1');
  assert.match(said.at(-1) ?? '', /^Stopped: 0 entries are written, all through line 1\. Go on/);
}, 60_000);

run();
