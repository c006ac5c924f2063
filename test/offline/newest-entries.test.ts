import * as assert from 'uvu/assert';
import { NewestEntries } from '../../src/offline/newest-entries.js';
import { suite } from '../harness/suite.js';
import { entriesCursor } from './entries-cursor.js';

const { test, run } = suite('NewestEntries');

test('shows of each key the newest version, and none of what is deleted or has expired', () => {
  const cursor = entriesCursor([
    { key: 'a', sequence: 9, value: 'new' },
    { key: 'a', sequence: 3, value: 'old' },
    { key: 'ab', sequence: 8 },
    { key: 'ab', sequence: 2, value: 'deleted' },
    { key: 'b', sequence: 7, value: 'gone', expiresAtMs: 100 },
    { key: 'b', sequence: 1, value: 'older' },
    { key: 'c', sequence: 4, value: 'stays', expiresAtMs: 101 },
  ]);
  cursor.seekToFirst();
  const newest = new NewestEntries(cursor, 100);
  const found: number[] = [];
  while (newest.next()) found.push(newest.entry.sequence);
  assert.equal(found, [9, 4]);
  assert.not(newest.next());
});

run();
