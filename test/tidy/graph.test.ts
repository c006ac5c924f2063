import { suite } from '../harness/suite.js';
import { checkCycles, checkUnused } from './graph.js';
import { finds } from './planted.js';

const { test, run } = suite('Import graph');

test('finds a cycle, also one of types', () => {
  const files = {
    'src/base/a.ts': "import { b } from './b.js';",
    'src/base/b.ts': "import { c } from './c.js';",
    'src/base/c.ts': "import type { A } from './a.js';",
  };
  finds(checkCycles, files, [['src/base/a.ts:1', 'base/a.ts → src/base/b.ts → src/base/c.ts']]);
});

test('sees no cycle where two files share a third', () => {
  const files = {
    'src/base/a.ts': "import './b.js';\nimport './c.js';",
    'src/base/b.ts': "import './c.js';",
    'src/base/c.ts': '',
  };
  finds(checkCycles, files, []);
});

test('finds sources that only tests use, and helpers that nothing uses', () => {
  const files = {
    'src/main.ts': "import './base/used.js';",
    'src/base/used.ts': '',
    'src/base/dead.ts': '',
    'test/base/dead.test.ts': "import '../../src/base/dead.js';\nimport '../harness/used.js';",
    'test/harness/used.ts': "new URL('./by-url.js', import.meta.url);",
    'test/harness/by-url.ts': '',
    'test/harness/dead.ts': '',
  };
  finds(checkUnused, files, [
    ['src/base/dead.ts:1', 'used by nothing'],
    ['test/harness/dead.ts:1', 'used by nothing'],
  ]);
});

run();
