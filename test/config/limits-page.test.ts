/** docs/LIMITS.md is written by hand; this keeps its names and defaults those of the table. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { CONFIG_PATHS, OPTION_OF } from '../../src/config/option-table.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('docs/LIMITS.md');
const page = readFileSync(new URL('../../../docs/LIMITS.md', import.meta.url), 'utf8');
const rows = [...page.matchAll(/^\| `([a-zA-Z.]+)` \| `([^`]+)` \|/gm)];

test('names options that exist, with their defaults', () => {
  assert.ok(rows.length > 20);
  for (const [, path = '', value] of rows) {
    const option = CONFIG_PATHS.find((each) => each === path);
    assert.ok(option !== undefined, `${path} is an option`);
    assert.is(value, JSON.stringify(OPTION_OF[option].default), path);
  }
});

test('leaves no maximum out', () => {
  const named = new Set(rows.map(([, path]) => path));
  const missing = CONFIG_PATHS.filter((path) => /Max$/.test(path) && !named.has(path));
  assert.equal(missing, []);
});

run();
