import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('stormkv storm');
const bin = resolve(import.meta.dirname, '..', '..', 'src', 'cli', 'stormkv.js');

function storm(args: readonly string[], tempDir: string) {
  const env = { ...process.env, TMPDIR: tempDir };
  return spawnSync(process.execPath, [bin, 'storm', ...args], {
    encoding: 'utf8',
    env,
    timeout: 110_000,
  });
}

test('patients answer, all is verified, and the report and the record are written', async () => {
  await withTempDir((dir) => {
    const [report, record] = [join(dir, 'r.html'), join(dir, 'r.json')];
    const size = ['--start', '--shards', '2', '--patients', '50', '--duration', '1', '--seed', '5'];
    const files = ['--report', report, '--record', record];
    const { status, stdout, stderr } = storm([...size, ...files, '--json'], dir);
    assert.is(status, 0, stderr);
    const result = JSON.parse(stdout);
    assert.equal([result.submissions, result.intact, result.givenUp], [50, true, 0]);
    assert.is(result.verification.found, result.acknowledged);
    assert.is(result.writeLatency.count, 50);
    assert.match(readFileSync(report, 'utf8'), /<h1>stormkv storm: epro/);
    const recorded = JSON.parse(readFileSync(record, 'utf8'));
    const sum = recorded.submissionsPerSecond.reduce((a: number, b: number) => a + b, 0);
    assert.is(sum, 50);
  });
});

test('reads and writes of hot keys go through the HTTP door', async () => {
  await withTempDir((dir) => {
    const load = ['--profile', 'mixed', '--callers', '4', '--submissions', '200', '--keys', '20'];
    const { status, stdout, stderr } = storm(['--start', '--door', 'http', ...load, '--json'], dir);
    assert.is(status, 0, stderr);
    const result = JSON.parse(stdout);
    assert.is(result.acknowledged + result.reads, 200);
    assert.is(result.intact, true);
  });
});

for (const door of ['grpc', 'ingest']) {
  test(`batches of new keys go through the door ${door}`, async () => {
    await withTempDir((dir) => {
      const load = ['--profile', 'uniform', '--callers', '4', '--submissions', '50'];
      const size = ['--entries', '4', '--shards', '2', '--verify', 'sample'];
      const args = ['--start', '--door', door, ...load, ...size, '--json'];
      const { status, stdout, stderr } = storm(args, dir);
      assert.is(status, 0, stderr);
      const result = JSON.parse(stdout);
      assert.equal([result.acknowledged, result.verification.found], [200, 200]);
      assert.is(result.shards.length, 2);
    });
  });
}

test('wrong options are a wrong usage, before anything is started', async () => {
  await withTempDir((dir) => {
    const cases: [string[], RegExp][] = [
      [['--profile', 'none'], /--profile must be one of epro, uniform/],
      [['--rate', '5', '--callers', '5'], /Only one of --rate, --callers and --replay/],
      [['--start', '--target', 'h:1'], /give no --target/],
      [['--shards', '2'], /add --start/],
      [['--profile', 'uniform', '--patients', '5'], /--patients is for the profile epro only/],
    ];
    for (const [args, message] of cases) {
      const { status, stderr } = storm(args, dir);
      assert.is(status, 2, stderr);
      assert.match(stderr, message);
    }
  });
});

run();
