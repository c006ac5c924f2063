import * as assert from 'uvu/assert';
import { lineProgress } from '../../src/demo/progress.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('lineProgress');

test('says where things stand once a second and at the end', () => {
  const said: string[] = [];
  let nowMs = 0;
  const say = (message: string) => void said.push(message);
  const progress = lineProgress({ say, monotonicMs: () => nowMs });
  progress.begin('storm', 4000);
  for (let i = 0; i < 2500; i++) {
    nowMs++;
    progress.advance();
  }
  progress.say('kill 1');
  progress.end();
  progress.begin('read back', 1);
  progress.end();
  assert.equal(said, [
    'storm: 1,000 of 4,000 (1,000/s)',
    'storm: 2,000 of 4,000 (1,000/s)',
    'kill 1',
    'storm: 2,500 of 4,000 (1,000/s)',
    'read back: 0 of 1 (0/s)',
  ]);
});

run();
