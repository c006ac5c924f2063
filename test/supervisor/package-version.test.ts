import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { packageVersion } from '../../src/supervisor/package-version.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('packageVersion');

test('is what package.json says', () => {
  const path = resolve(import.meta.dirname, '..', '..', '..', 'package.json');
  assert.is(packageVersion(nodeFileSystem), JSON.parse(readFileSync(path, 'utf8')).version);
});

run();
