import { suite } from '../harness/suite.js';
import { checkLayers } from './layers.js';
import { finds } from './planted.js';

const { test, run } = suite('Import table');

const CLOCK = { 'src/base/clock.ts': '' };

test('lets folders import what is below them', () => {
  const files = {
    ...CLOCK,
    'src/storage/a.ts': "import { b } from './b.js';\nimport type { C } from '../base/clock.js';",
    'src/storage/b.ts': '',
  };
  finds(checkLayers, files, []);
});

test('finds an import of another thread, also of a type and at run time', () => {
  const files = {
    'src/router/r.ts': '',
    'src/shard/a.ts': "import type { R } from '../router/r.js';",
    'src/shard/b.ts': "\nconst r = await import('../router/r.js');",
    'src/shard/c.ts': "export { r } from '../router/r.js';",
  };
  finds(checkLayers, files, [
    ['src/shard/a.ts:1', 'shard may import base'],
    ['src/shard/b.ts:2', 'imports src/router/r.ts'],
    ['src/shard/c.ts:1', 'imports src/router/r.ts'],
  ]);
});

test('finds a leaf that imports anything of ours', () => {
  const files = { 'src/base/a.ts': "import '../storage/b.js';", 'src/storage/b.ts': '' };
  finds(checkLayers, files, [['src/base/a.ts:1', 'nothing of ours']]);
});

test('does not read imports in comments and strings', () => {
  const files = { 'src/base/a.ts': "// from '../router/r.js'\nconst s = `from 'x'`;" };
  finds(checkLayers, files, []);
});

test('finds a folder it does not know, and imports that lead nowhere', () => {
  const files = { ...CLOCK, 'src/helpers/a.ts': "import { c } from '../base/clock.js';" };
  finds(checkLayers, files, [['src/helpers/a.ts:1', 'does not know']]);
  finds(checkLayers, { 'src/base/a.ts': "import { z } from '../../tools/z.mjs';" }, [
    ['src/base/a.ts:1', 'no file of ours'],
  ]);
});

test('lets threads be started by their keepers only, and never imported', () => {
  const files = {
    'src/shard/worker.ts': '',
    'src/supervisor/shard-life.ts': "new URL('../shard/worker.js', import.meta.url)",
    'src/supervisor/x.ts': "new URL('../shard/worker.js', import.meta.url)",
    'src/shard/y.ts': "import './worker.js';",
  };
  finds(checkLayers, files, [
    ['src/supervisor/x.ts:1', 'not its business'],
    ['src/shard/y.ts:1', 'by URL'],
  ]);
});

test('lets main build the pool, but not run its jobs', () => {
  const files = {
    'src/main.ts': "import './compactor/compactor-pool.js';\nimport './compactor/run-job.js';",
    'src/compactor/compactor-pool.ts': '',
    'src/compactor/run-job.ts': '',
  };
  finds(checkLayers, files, [['src/main.ts:2', 'another thread']]);
});

test('finds a package in a second file, and an unknown one', () => {
  const files = {
    'src/router/a.ts': "import fastify from 'fastify';",
    'src/router/b.ts': "import left from 'left-pad';",
    'src/storage/c.ts': "createRequire(import.meta.url)('mmap-io');",
  };
  finds(checkLayers, files, [
    ['src/router/a.ts:1', 'only src/router/http-door.ts'],
    ['src/router/b.ts:1', 'does not know'],
    ['src/storage/c.ts:1', 'only src/storage/mapped-file.ts'],
  ]);
});

test('finds parts of Node that reach the world', () => {
  const files = {
    'src/shard/a.ts': "import { readFileSync } from 'node:fs';",
    'src/storage/b.ts': "import { Worker } from 'node:worker_threads';",
    'src/base/c.ts': "import { isUtf8 } from 'node:buffer';",
    'src/base/d.ts': "import { open } from 'node:fs/promises';",
  };
  finds(checkLayers, files, [
    ['src/shard/a.ts:1', 'node:fs, which only'],
    ['src/storage/b.ts:1', 'node:worker_threads'],
    ['src/base/d.ts:1', 'only nobody may'],
  ]);
});

run();
