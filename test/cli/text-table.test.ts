import * as assert from 'uvu/assert';
import { textTable } from '../../src/cli/text-table.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('textTable');

test('makes columns as wide as what is in them, without blanks at line ends', () => {
  const rows = [
    ['shard', 'state'],
    ['0', 'serving'],
    ['1', ''],
  ];
  assert.is(textTable(rows), 'shard   state\n0       serving\n1');
});

test('aligns numbers at their ends', () => {
  const rows = [
    ['writes', 'reads'],
    ['7', '1,234,567'],
  ];
  assert.is(textTable(rows, ['right', 'right']), 'writes       reads\n     7   1,234,567');
});

run();
