import * as assert from 'uvu/assert';
import { ProgressLine } from '../../src/cli/progress-line.js';
import { ManualClock } from '../harness/manual-clock.js';
import { suite } from '../harness/suite.js';
import { capturedIo } from './cli-rig.js';

const { test, run } = suite('ProgressLine');

test('tells a person now and then, with the time left, and nobody else', () => {
  for (const errIsTerminal of [true, false]) {
    const io = capturedIo({ errIsTerminal });
    const clock = new ManualClock();
    const progress = new ProgressLine(io, clock);
    for (let done = 1; done <= 100; done++) {
      clock.advance(100);
      progress.show(() => `${done} of 1000${progress.timeLeft(done, 1000)}`);
    }
    progress.end();
    progress.show(() => 'too late');
    assert.is(io.said.length, errIsTerminal ? 20 : 0);
    if (errIsTerminal) assert.is(io.said.at(-1), '10 s  100 of 1000, about 1 min 30 s left');
    assert.is(progress.timeLeft(5, 5), '');
  }
});

run();
