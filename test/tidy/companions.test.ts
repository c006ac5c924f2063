import { suite } from '../harness/suite.js';
import { checkTestExceptions, checkTestsExist, checkTestsRun } from './companions.js';
import { finds } from './planted.js';

const { test, run } = suite('Companions');

test('finds a source with logic and no test', () => {
  const files = {
    'src/base/tested.ts': 'export function f() {}',
    'test/base/tested.test.ts': 'run();',
    'src/base/types.ts': 'export interface A {}',
    'src/base/alone.ts': 'export function f() {}',
  };
  finds(checkTestsExist, files, [['src/base/alone.ts:1', 'write test/base/alone.test.ts']]);
});

test('finds exceptions that have lost their file or the test that covers it', () => {
  const source = 'src/compactor/worker.ts';
  const covering = 'test/compactor/compactor-pool.test.ts';
  const ofWorker = (files: Readonly<Record<string, string>>, expected: [string, string][]) =>
    finds(
      (repository) => checkTestExceptions(repository).filter(({ path }) => path === source),
      files,
      expected,
    );
  ofWorker({ [source]: '', [covering]: '' }, []);
  ofWorker({ [covering]: '' }, [[`${source}:1`, 'no file']]);
  ofWorker({ [source]: '' }, [[`${source}:1`, covering]]);
});

test('finds a test file that runs nothing or not everything', () => {
  const files = {
    'test/a.test.ts': `${['test', 'only'].join('.')}(1);\nrun();`,
    'test/b.test.ts': 'suite.run();',
    'test/c.test.ts': '// run();',
  };
  finds(checkTestsRun, files, [
    ['test/a.test.ts:1', 'one test only'],
    ['test/c.test.ts:1', 'never runs'],
  ]);
});

run();
