import * as assert from 'uvu/assert';
import { TablePins } from '../../src/shard/table-pins.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('TablePins');

test('a table is unlinked when the last pin on it is gone, and at once where there is none', () => {
  const pins = new TablePins();
  const removed: number[] = [];
  const letGo = (table: number): void => pins.letGo(table, () => removed.push(table));
  pins.pin('one', [1, 2], 100);
  pins.pin('two', [2], 100);
  for (const table of [1, 2, 3]) letGo(table);
  assert.equal(removed, [3]);
  pins.unpin('one');
  assert.equal(removed, [3, 1]);
  pins.unpin('two');
  assert.equal(removed, [3, 1, 2]);
});

test('a pin ends by itself unless it is renewed, and says so', () => {
  const pins = new TablePins();
  const removed: number[] = [];
  pins.pin('one', [1], 100);
  pins.letGo(1, () => removed.push(1));
  assert.ok(pins.renew('one', 200));
  pins.enforce(150);
  assert.equal(removed, []);
  pins.enforce(200);
  assert.equal(removed, [1]);
  assert.not(pins.renew('one', 300));
});

test('a pin of the same name takes the place of the earlier one', () => {
  const pins = new TablePins();
  const removed: number[] = [];
  pins.pin('one', [1], 100);
  pins.letGo(1, () => removed.push(1));
  pins.pin('one', [2], 100);
  assert.equal(removed, [1]);
});

run();
