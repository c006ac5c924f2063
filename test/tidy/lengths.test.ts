import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.js';
import { checkFileLengths, checkFunctionLengths, checkLineLengths, hasLogic } from './lengths.js';
import { finds } from './planted.js';
import { RepositoryFile } from './repository.js';

const { test, run } = suite('Lengths');

const lines = (count: number, text = 'x;') => `${text}\n`.repeat(count);

test('finds a line beyond 100 columns, counted as characters', () => {
  const files = { 'src/a.ts': `${'→'.repeat(100)}\n${'x'.repeat(101)}\n` };
  finds(checkLineLengths, files, [['src/a.ts:2', 'has 101 columns']]);
});

test('lets a sentence be a little longer, because nothing breaks it', () => {
  const title = (length: number) =>
    `test('${'says what it proves '.repeat(9)}`.slice(0, length - 10);
  finds(checkLineLengths, { 'test/a.ts': `${title(115)}', () => {` }, []);
  finds(checkLineLengths, { 'test/a.ts': `${title(125)}', () => {` }, [['test/a.ts:1', 'are 120']]);
  finds(checkLineLengths, { 'test/a.ts': `// ${title(115)}` }, [['test/a.ts:1', 'are 100']]);
});

test('finds a long function in each of its shapes', () => {
  const shapes = [
    'function f(a: number) {',
    'function f({ a }: B): { c: number } {',
    'const f = async (a) => {',
    'class A {\n  async #m(): Promise<void> {',
    'class A {\n  get m() {',
  ];
  for (const shape of shapes) {
    const line = shape.split('\n').length;
    const end = '}'.repeat(line);
    finds(checkFunctionLengths, { 'src/a.ts': `${shape}\n${lines(69)}${end}` }, [
      [`src/a.ts:${line}`, 'of 71 lines'],
    ]);
    finds(checkFunctionLengths, { 'src/a.ts': `${shape}\n${lines(68)}${end}` }, []);
  }
});

test('lets classes, interfaces and tables be long', () => {
  for (const head of [
    'export class A extends B<{ c: 1 }> {',
    'interface A {',
    'const a: B = {',
    'f({',
    'return {',
    'import {',
  ]) {
    finds(checkFunctionLengths, { 'src/a.ts': `${head}\n${lines(90, 'x,')}}` }, []);
  }
});

test('is not led astray by braces in strings and comments', () => {
  const source = `function f() {\n  g('{'); // {\n  g(/[{]/);\n}\n${lines(90)}`;
  finds(checkFunctionLengths, { 'src/a.ts': source }, []);
});

test('finds a long source and a heavy file', () => {
  const files = {
    'src/a.ts': lines(401),
    'test/b.test.ts': lines(401),
    'docs/c.md': 'x'.repeat(70_000),
    'test/testdata/d.sst': 'x'.repeat(70_000),
  };
  finds(checkFileLengths, files, [
    ['src/a.ts:1', 'has 401 lines'],
    ['docs/c.md:1', 'has 70000 bytes'],
  ]);
});

test('tells a file with something to run from types and constants', () => {
  const has = (text: string) => hasLogic(new RepositoryFile('src/a.ts', text.length, text));
  assert.is(has('export interface A { b(): void }\nexport const C = { d: 1 };'), false);
  assert.is(has('export type A = { b: 1 };\nexport function f() { return 1; }'), true);
  assert.is(has('class A { constructor() { this.b = 1; } }'), true);
});

run();
