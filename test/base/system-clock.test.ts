import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import { systemClock, threadOffsetMs } from '../../src/base/system-clock.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('systemClock');

test('goes on in every thread from a zero that they share, given its offset', async () => {
  const module = new URL('../../src/base/system-clock.js', import.meta.url).href;
  const program = `
    import { parentPort } from 'node:worker_threads';
    import { systemClock, threadOffsetMs } from '${module}';
    parentPort.postMessage(systemClock.monotonicMs() + threadOffsetMs());`;
  const common = () => systemClock.monotonicMs() + threadOffsetMs();
  const before = common();
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
  const [there] = (await once(worker, 'message')) as [number];
  const after = common();
  // Two reads of two clocks, a moment apart.
  assert.ok(before - 1 <= there && there <= after + 1, `${before} ${there} ${after}`);
  await worker.terminate();
});

run();
