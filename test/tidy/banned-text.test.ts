import { suite } from '../harness/suite.js';
import { checkBannedText } from './banned-text.js';
import { finds } from './planted.js';

const { test, run } = suite('Banned text');

const PLANTED: readonly (readonly [text: string, part: string])[] = [
  ['let a: any;', 'unknown and a check'],
  ['f(a as any);', 'a type guard'],
  ['// @ts-ignore', 'a fix of the type'],
  ['/* @ts-nocheck */', 'a fix of the type'],
  ['const enum A { b }', 'union of literals'],
  ['export default 1;', 'a named export'],
  ['Date.now();', 'the injected Clock'],
  ['Math.random();', 'the injected Random'],
  ['numbers.sort();', 'a comparator'],
  ['console.log(1);', 'the log'],
  ['process.exit(1);', 'an argument'],
  ['setTimeout(f, 1);', 'deadline'],
  ['// TODO later', 'the work itself'],
  ['try { f(); } catch {}', 'say in a comment'],
  ['try { f(); } catch (error) {\n}', 'say in a comment'],
];

test('is found in code', () => {
  for (const [text, part] of PLANTED) {
    finds(checkBannedText, { 'src/a.ts': `x;\n${text}` }, [['src/a.ts:2', part]]);
  }
});

test('is not found in prose, nor in text that only looks alike', () => {
  const innocent = [
    '// Date.now() would be wrong here: any clock that runs will do',
    "say('as any other, console.log(1)');",
    'socket.setTimeout(1);',
    'numbers.sort((a, b) => a - b);',
    'const many = anyOf(company);',
    'try { f(); } catch {\n  // It is gone already.\n}',
  ];
  for (const text of innocent) finds(checkBannedText, { 'src/a.ts': text }, []);
});

test('is allowed where the exception says so', () => {
  finds(checkBannedText, { 'src/base/system-clock.ts': 'Date.now();' }, []);
  finds(checkBannedText, { 'scripts/a.mjs': 'console.log(Date.now());' }, []);
});

run();
