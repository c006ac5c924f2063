import * as assert from 'uvu/assert';
import { Interruption } from '../../src/cli/interruption.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Interruption');

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

function listeners(): number {
  return SIGNALS.reduce((sum, signal) => sum + process.listenerCount(signal), 0);
}

for (const signal of SIGNALS) {
  test(`the first ${signal} asks for an end, the second ends at once`, async () => {
    const said: string[] = [];
    const interruption = new Interruption((message) => void said.push(message));
    try {
      assert.is(interruption.hasCome, false);
      const work = interruption.orEnd(new Promise(() => {}));
      const ended = work.catch((error: unknown) => error);
      process.emit(signal, signal);
      assert.is(interruption.hasCome, true);
      assert.match(said.join('\n'), /a second Ctrl-C ends at once/);
      // The first signal leaves the work alone.
      assert.is(await interruption.orEnd(Promise.resolve('done')), 'done');
      process.emit(signal, signal);
      const error = await ended;
      assert.match(`${error}`, /Ended without a verdict/);
      assert.is((error as { code?: unknown }).code, 'ABORTED');
    } finally {
      interruption.close();
    }
  });
}

test('work that ends first is what comes out, failures too', async () => {
  const interruption = new Interruption(() => {});
  try {
    assert.is(await interruption.orEnd(Promise.resolve(5)), 5);
    const failed = interruption.orEnd(Promise.reject(new Error('no disk')));
    assert.match(`${await failed.catch((error: unknown) => error)}`, /no disk/);
  } finally {
    interruption.close();
  }
});

test('nothing listens any more once it is closed', () => {
  const before = listeners();
  const interruption = new Interruption(() => {});
  assert.is(listeners(), before + 2);
  interruption.close();
  assert.is(listeners(), before);
});

run();
