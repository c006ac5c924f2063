import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('stormkv demo');
const bin = resolve(import.meta.dirname, '..', '..', 'src', 'cli', 'stormkv.js');

function demo(args: readonly string[], tempDir: string) {
  const env = { ...process.env, TMPDIR: tempDir };
  return spawnSync(process.execPath, [bin, 'demo', ...args], {
    encoding: 'utf8',
    env,
    timeout: 60_000,
  });
}

test('kills a real server in mid-storm and finds every acknowledged answer', async () => {
  await withTempDir((dir) => {
    const args = ['--patients', '60', '--kills', '2', '--shards', '2', '--seed', '5', '--json'];
    const { status, stdout, stderr } = demo(args, dir);
    assert.is(status, 0, stderr);
    const report = JSON.parse(stdout);
    assert.equal([report.lost, report.wrong, report.seed, report.shards], [0, 0, 5, 2]);
    assert.is(report.kills.length, 2);
    assert.ok(report.acknowledged > 500);
    assert.is(report.found, report.acknowledged);
    assert.match(stderr, /kill 1: after \d+ acknowledged; ready again in \d+ ms/);
    assert.not.match(stderr, 'The data stays');
  });
});

test('wrong options and unusable files are a wrong usage, before anything is started', async () => {
  await withTempDir((dir) => {
    const form = join(dir, 'form.json');
    writeFileSync(form, '{"resourceType":"Patient"}');
    const cases: [string[], RegExp][] = [
      [['--patients', '0'], /--patients must be a whole number from 1 to 1000000: found "0"/],
      [['--kills', '-1'], /--kills must be a whole number/],
      [['--questionnaire', form], /"resourceType": "Questionnaire"/],
      [['--questionnaire', join(dir, 'none.json')], /Cannot read .*none\.json/],
      [['--data-dir', dir], /--data-dir must be an empty folder/],
    ];
    for (const [args, message] of cases) {
      const { status, stdout, stderr } = demo(args, dir);
      assert.is(status, 2, args.join(' '));
      assert.is(stdout, '');
      assert.match(stderr, message);
    }
  });
});

run();
