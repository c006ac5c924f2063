import * as assert from 'uvu/assert';
import { ContentDigest } from '../../src/offline/content-digest.js';
import { suite } from '../harness/suite.js';
import { entriesCursor, type GivenEntry } from './entries-cursor.js';

const { test, run } = suite('ContentDigest');

function digestOf(entries: GivenEntry[]): string {
  const cursor = entriesCursor(entries);
  const digest = new ContentDigest();
  for (cursor.seekToFirst(); cursor.valid; cursor.next()) digest.add(cursor);
  assert.is(digest.entries, entries.length);
  return digest.result();
}

test('the same content has the same digest; every part of an entry counts', () => {
  const entry = { key: 'ab', sequence: 7, value: 'cd', expiresAtMs: 5 };
  const same = digestOf([entry]);
  assert.match(same, /^[0-9a-f]{64}$/);
  assert.is(digestOf([{ ...entry }]), same);
  const others = [
    [{ ...entry, key: 'abc', value: 'd' }],
    [{ ...entry, sequence: 8 }],
    [{ ...entry, value: 'ce' }],
    [{ ...entry, expiresAtMs: 6 }],
    [entry, entry],
    [],
  ];
  for (const other of others) assert.is.not(digestOf(other), same, JSON.stringify(other));
});

test('values larger than its buffer count whole', () => {
  const value = 'x'.repeat(300_000);
  const large = { key: 'k', sequence: 1, value };
  assert.is.not(digestOf([large]), digestOf([{ ...large, value: `${value.slice(1)}y` }]));
});

run();
