import { suite } from '../harness/suite.js';
import { finds } from './planted.js';
import { checkForeignText, checkPinned } from './portability.js';

const { test, run } = suite('Portability');

// Put together here, so that this file passes its own check.
const MACHINE_PATH = ['', 'work', 'main', 'x.ts'].join('/');
const FOLDER = 'work';
const REGISTRY = ['https:/', ['registry', 'npmjs', 'org'].join('.'), 'a.tgz'].join('/');

test('finds paths of one machine and hosts of registries', () => {
  const files = {
    'docs/a.md': `# A\n${MACHINE_PATH}`,
    'package-lock.json': REGISTRY,
    'docs/b.md': `node.js/${FOLDER}/ and ./${FOLDER}/x are none`,
  };
  finds(checkForeignText, files, [
    ['docs/a.md:2', 'a path of one machine'],
    ['package-lock.json:1', 'a registry'],
  ]);
});

test('finds dependencies that are not pinned', () => {
  const dependencies = { a: '1.2.3', b: '^1.2.3', c: 'npm:@d/e@1.0.0', f: 'latest' };
  const files = { 'package.json': JSON.stringify({ dependencies }, undefined, 1) };
  finds(checkPinned, files, [
    ['package.json:4', 'b as ^1.2.3'],
    ['package.json:6', 'f as latest'],
  ]);
});

run();
