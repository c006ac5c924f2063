import { suite } from '../harness/suite.js';
import { COMPARISON, checkComparison } from './comparison.js';
import { finds } from './planted.js';

const { test, run } = suite('Comparison');

const TEST = "test('works well', () => {});\ntest(`shows a 'quote'`, () => {});\n";
const HEAD = '# A\n\n| | stormkv | other |\n|---|---|---|\n';

test('rows that say yes are backed by tests that exist', () => {
  const text =
    `${HEAD}| One | yes | no |\n| Two | yes, somehow | yes |\n| None | no: not yet | yes |\n` +
    '\n- **One**: `test/a.test.ts` "works well"; `test/a.test.ts` "shows a \'quote\'"\n' +
    '- **Two**: `test/a.test.ts` "works well"\n';
  finds(checkComparison, { [COMPARISON]: text, 'test/a.test.ts': TEST }, []);
});

test('rows without tests, and tests that are not there, are found', () => {
  const text =
    `${HEAD}| One | yes | no |\n| Two | lz4 | yes |\n| None | no | yes |\n` +
    '\n- **One**: `test/a.test.ts` "works badly"; `test/gone.test.ts` "works well"; `x`\n' +
    '- **None**: `test/a.test.ts` "works well"\n';
  finds(checkComparison, { [COMPARISON]: text, 'test/a.test.ts': TEST }, [
    [`${COMPARISON}:9`, 'test/a.test.ts does not have: works badly'],
    [`${COMPARISON}:9`, 'names test/gone.test.ts, which does not exist'],
    [`${COMPARISON}:9`, 'is not `path` "title"'],
    [`${COMPARISON}:10`, 'None, which is no row that says yes'],
    [`${COMPARISON}:6`, 'names no test of Two'],
  ]);
});

test('the page must be there', () => {
  finds(checkComparison, {}, [[`${COMPARISON}:1`, 'does not exist']]);
});

run();
