import * as assert from 'uvu/assert';
import { textOption } from '../../src/cli/command.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('textOption');

test('gives the text of an option, nothing for a switch or an absent one', () => {
  const options = { file: 'x', empty: '', json: true as const };
  assert.is(textOption(options, 'file'), 'x');
  assert.is(textOption(options, 'empty'), '');
  assert.is(textOption(options, 'json'), undefined);
  assert.is(textOption(options, 'other'), undefined);
});

run();
