/** The linter is configured, but does it look? Its rules on promises need types across files. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('Linter');

const root = resolve(fileURLToPath(new URL('../../..', import.meta.url)));
const LINTER = join(root, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
const WORKER = `export class Worker {
  async close(): Promise<void> {
    await Promise.resolve();
  }
}
`;

/** The rules that fire on a file which may import ./worker.js, with the project's configuration. */
async function rulesOn(source: string): Promise<readonly string[]> {
  return withTempDir((dir) => {
    mkdirSync(join(dir, 'src'));
    copyFileSync(join(root, 'biome.json'), join(dir, 'biome.json'));
    writeFileSync(join(dir, 'src', 'worker.ts'), WORKER);
    writeFileSync(join(dir, 'src', 'a.ts'), source);
    const args = [LINTER, 'ci', '--colors=off', '--reporter=json'];
    const { stdout } = spawnSync(process.execPath, args, { cwd: dir, encoding: 'utf8' });
    const report = JSON.parse(stdout) as { diagnostics: { category: string }[] };
    return report.diagnostics.map(({ category }) => category.split('/').at(-1) ?? '');
  });
}

test('finds a promise that nobody holds, of another file', async () => {
  const source = (statement: string) => `import { Worker } from './worker.js';

export async function stop(worker: Worker): Promise<void> {
  ${statement}
  await new Worker().close();
}
`;
  assert.equal(await rulesOn(source('worker.close();')), ['noFloatingPromises']);
  assert.equal(await rulesOn(source('await worker.close();')), []);
});

test('finds a promise that is taken for a condition', async () => {
  const source = `import type { Worker } from './worker.js';

export function stop(worker: Worker): number {
  if (worker.close()) return 1;
  return 2;
}
`;
  assert.equal(await rulesOn(source), ['noMisusedPromises']);
});

test('finds any, and what is not formatted', async () => {
  assert.equal(await rulesOn('export const a = (b: any) => b;\n'), ['noExplicitAny']);
  assert.equal(await rulesOn('export const a = 1\n'), ['format']);
});

run();
