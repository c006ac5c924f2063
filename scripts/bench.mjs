#!/usr/bin/env node
// Builds, then runs benches: see bench/bench.ts. BENCH_DIST names a folder that is built already.
// Usage: node scripts/bench.mjs [NAME …] [--json] [--rounds N] [--seconds N] | --render | --list
import { spawn, spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname ?? '.', '..');
const built = process.env.BENCH_DIST;
if (built === undefined) {
  const { status } = spawnSync(process.execPath, [join(root, 'scripts', 'build.mjs')], {
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) process.exit(1);
}
const script = join(root, built ?? 'dist', 'bench', 'bench.js');
const child = spawn(process.execPath, [script, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
// A Ctrl-C reaches the benches too; they remove what they made.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('close', (code) => process.exit(code ?? 1));
