import * as assert from 'uvu/assert';
import { editedText, runWithEdits } from './mutants.js';
import { suite } from './suite.js';

const { test, run } = suite('Planted bugs');
const THIS = { test: 'test/base/hash.test.js' };

test('replace the one occurrence, whatever its line breaks', () => {
  assert.is(editedText('a; if (x)\n    b();', 'f', 'if (x) b();', 'c'), 'a; c');
});

test('must fit exactly once', () => {
  assert.throws(() => editedText('a b a', 'f.js', 'a', 'c'), /fits 2 times|2 times/);
  assert.throws(() => editedText('a b a', 'f.js', 'x', 'c'), /f\.js once, it fits 0 times/);
});

test('take text as text, not as a pattern', () => {
  assert.is(editedText('f(a.b) + fab', 'f', 'f(a.b)', '$&'), '$& + fab');
});

test('change the copy alone', async () => {
  const broken = await runWithEdits(
    [
      {
        file: 'src/base/hash.js',
        find: 'export function',
        replace: 'throw new Error("planted"); export function',
      },
    ],
    THIS,
  );
  assert.not(broken.passed);
  assert.match(broken.output, /planted/);
  assert.ok((await runWithEdits([], THIS)).passed);
});

run();
