import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.js';
import { blanked, closingBracket, lineOf } from './source-text.js';

const { test, run } = suite('Source text');

function blanksTo(source: string, expected: string): void {
  assert.is(blanked(source), expected);
  assert.is(blanked(source).length, source.length);
}

test('loses comments and keeps its lines', () => {
  blanksTo('a; // {\nb;', 'a;     \nb;');
  blanksTo('a /* {\n} */ b', 'a     \n     b');
});

test('loses what strings hold, also with escaped quotes', () => {
  blanksTo("f('it\\'s {')", "f('       ')");
  blanksTo('f("//")', 'f("  ")');
});

test('keeps the code inside of templates', () => {
  blanksTo('`a{$' + "{g({ b: `}` }, '}')}}`", '`  $' + "{g({ b: ` ` }, ' ')} `");
});

test('tells a regular expression from a division', () => {
  blanksTo("x = /['{]/.test(y)", 'x = /    /.test(y)');
  blanksTo('return /a\\/b/g', 'return /    /g');
  blanksTo('(a) / b / c', '(a) / b / c');
  blanksTo('n / 2; /{/', 'n / 2; / /');
  blanksTo('a[i]! / b; c! / d; !/{/.test(e)', 'a[i]! / b; c! / d; !/ /.test(e)');
});

test('finds the closing bracket and the line of an index', () => {
  assert.is(closingBracket('f(a, [b], { c })', 1), 15);
  assert.is(closingBracket('f(', 1), -1);
  assert.is(lineOf('a\nb\nc', 0), 1);
  assert.is(lineOf('a\nb\nc', 4), 3);
});

run();
