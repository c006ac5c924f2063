import * as assert from 'uvu/assert';
import { fileNumber, segmentNumber, sequenceNumber, shardId } from '../../src/base/ids.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('ids');

test('ids are plain numbers at run time', () => {
  for (const brand of [fileNumber, segmentNumber, sequenceNumber, shardId]) {
    assert.is(brand(0), 0);
    assert.is(brand(2 ** 53 - 1), 2 ** 53 - 1);
  }
});

run();
