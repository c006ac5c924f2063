/**
 * The project's rules on its own files (see docs/ARCHITECTURE.md). Each check has a test in
 * test/tidy/ that plants what it must find.
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { suite } from './harness/suite.js';
import { checkBannedText } from './tidy/banned-text.js';
import { checkTestExceptions, checkTestsExist, checkTestsRun } from './tidy/companions.js';
import { checkComparison } from './tidy/comparison.js';
import { checkFormatPages, checkLinks, checkTitles } from './tidy/documents.js';
import { checkCycles, checkUnused } from './tidy/graph.js';
import { importsOf } from './tidy/imports.js';
import { checkLayers } from './tidy/layers.js';
import { checkFileLengths, checkFunctionLengths, checkLineLengths } from './tidy/lengths.js';
import { checkForeignText, checkPinned } from './tidy/portability.js';
import { Repository, type Violation } from './tidy/repository.js';
import { closingBracket } from './tidy/source-text.js';

const { test, run } = suite('The project');

// Compiled to <output>/test, next to nothing of the sources.
const root = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const repository = Repository.read(root);

const CHECKS: Readonly<Record<string, (repository: Repository) => Violation[]>> = {
  'follows the import table': checkLayers,
  'has no import cycles': checkCycles,
  'has no file that nothing uses': checkUnused,
  'keeps lines short': checkLineLengths,
  'keeps functions short': checkFunctionLengths,
  'keeps files small': checkFileLengths,
  'has no banned text': checkBannedText,
  'has a test for each source': checkTestsExist,
  'has no exception without its file': checkTestExceptions,
  'runs all of its tests': checkTestsRun,
  'titles each document once': checkTitles,
  'links to what exists': checkLinks,
  'points from formats to their pages': checkFormatPages,
  'compares itself by what its tests show': checkComparison,
  'is tied to no machine': checkForeignText,
  'pins its dependencies': checkPinned,
};

test('is seen whole by the checks', () => {
  const count = (folder: string) => repository.files.filter((file) => file.isIn(folder)).length;
  assert.ok(count('src') > 100, `${count('src')} files in src`);
  assert.ok(count('test') > 80, `${count('test')} files in test`);
  assert.ok(count('docs') > 5, `${count('docs')} files in docs`);
  assert.ok(importsOf(repository).length > 500, `${importsOf(repository).length} imports`);
});

test('is read right: brackets of what is taken for code are balanced', () => {
  for (const { path, code } of repository.sources) {
    const whole = `(${code})`;
    assert.is(closingBracket(whole, 0), whole.length - 1, path);
  }
});

for (const [title, check] of Object.entries(CHECKS)) {
  test(title, () => {
    const lines = check(repository).map(({ path, line, problem }) => `${path}:${line} ${problem}`);
    assert.is(lines.join('\n'), '');
  });
}

run();
