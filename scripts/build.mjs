#!/usr/bin/env node
// Compiles src, test and bench into dist. What an older build left there of sources that are gone
// is removed first, so that no test of a deleted file runs and nothing imports one; the rest stays
// in place for a server that runs from it.
// Usage: node scripts/build.mjs [--if-possible]
//   --if-possible  without what it needs (npm install --omit=dev) say so and exit 0
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname ?? '.', '..');
const dist = join(root, 'dist');
const packages = join(root, 'node_modules');
const compiler = join(packages, 'typescript', 'bin', 'tsc');
// A production installation has the compiler at times, because another package can use it.
const NEEDED = [compiler, join(packages, '@types', 'node'), join(packages, 'uvu')];
const COMMAND = join(dist, 'src', 'cli', 'stormkv.js');

if (!NEEDED.every(existsSync)) giveUp('the development packages are missing');
const sources = ['src', 'test', 'bench'].flatMap((folder) => filesIn(folder, root, '.ts'));
removeLeftovers(new Set(sources.map((path) => path.replace(/\.ts$/, ''))));
// The incremental state says what was compiled, not whether it is still there.
if (sources.some((path) => !existsSync(join(dist, path.replace(/\.ts$/, '.js'))))) {
  rmSync(join(dist, 'tsconfig.tsbuildinfo'), { force: true });
}
if (compile([]) === 0) chmodSync(COMMAND, 0o755);
else if (compile(['--version'], 'ignore') !== 0) giveUp('the compiler for this system is missing');
else process.exitCode = 1;

function compile(options, stdio = 'inherit') {
  return spawnSync(process.execPath, [compiler, ...options], { cwd: root, stdio }).status;
}

function giveUp(reason) {
  console.error(`Not built: ${reason}. Install everything: npm install`);
  process.exit(process.argv.includes('--if-possible') ? 0 : 1);
}

function removeLeftovers(stems) {
  for (const folder of ['src', 'test', 'bench']) {
    for (const path of filesIn(folder, dist, '')) {
      if (!stems.has(path.replace(/\.(js|js\.map|d\.ts)$/, ''))) rmSync(join(dist, path));
    }
  }
}

function filesIn(folder, base, ending) {
  if (!existsSync(join(base, folder))) return [];
  return readdirSync(join(base, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(base.length + 1));
}
