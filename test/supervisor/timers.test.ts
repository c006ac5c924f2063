import * as assert from 'uvu/assert';
import { systemTimers } from '../../src/supervisor/timers.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('systemTimers');

test('after runs its task once, unless it is called off', async () => {
  let count = 0;
  const callOff = systemTimers.after(0, () => count++);
  callOff();
  await new Promise<void>((resolve) => systemTimers.after(5, resolve));
  assert.is(count, 0);
});

test('every runs its task until it is called off', async () => {
  let count = 0;
  await new Promise<void>((resolve) => {
    const callOff = systemTimers.every(1, () => {
      count++;
      if (count < 3) return;
      callOff();
      resolve();
    });
  });
  assert.is(count, 3);
});

run();
