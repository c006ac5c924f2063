import * as assert from 'uvu/assert';
import { shardCountFor } from '../../src/config/config.js';
import { configWith } from '../../src/config/load-config.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('shardCountFor');

test('takes what suits the machine, at least 2 and at most 8, unless a number is given', () => {
  const auto = configWith({});
  const found = [1, 2, 3, 8, 64].map((processors) => shardCountFor(auto, processors));
  assert.equal(found, [2, 2, 3, 8, 8]);
  assert.is(shardCountFor(configWith({ shards: { count: 1 } }), 64), 1);
});

run();
