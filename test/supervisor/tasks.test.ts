import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { Tasks } from '../../src/supervisor/tasks.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Tasks');

test('tells how far work is, and what came of it', async () => {
  const tasks = new Tasks();
  let end: (result: object) => void = () => {};
  const { id } = tasks.start('backup', (report) => {
    report(5, 10);
    return new Promise((resolve) => {
      end = resolve;
    });
  });
  assert.equal([tasks.status(id).state, tasks.status(id).doneBytes], ['running', 5]);
  assert.throws(() => tasks.start('backup', () => Promise.resolve({})), /under way/);
  tasks.start('scrub', () => Promise.resolve({}));
  end({ files: 3 });
  await new Promise((soon) => setImmediate(soon));
  assert.equal([tasks.status(id).state, tasks.status(id).report], ['done', '{"files":3}']);
});

test('tells what work failed with', async () => {
  const tasks = new Tasks();
  const failure = new StormError('RESOURCE_EXHAUSTED', 'no space');
  const { id } = tasks.start('backup', () => Promise.reject(failure));
  await new Promise((soon) => setImmediate(soon));
  const { state, code, message } = tasks.status(id);
  assert.equal([state, code, message], ['failed', 'RESOURCE_EXHAUSTED', 'no space']);
});

test('forgets what is long over, and never what runs', async () => {
  const tasks = new Tasks();
  const running = tasks.start('backup', () => new Promise(() => {}));
  const first = tasks.start('scrub', () => Promise.resolve({}));
  for (let i = 0; i < 80; i++) {
    await new Promise((soon) => setImmediate(soon));
    tasks.start('scrub', () => Promise.resolve({}));
  }
  assert.is(tasks.status(running.id).state, 'running');
  assert.throws(() => tasks.status(first.id), /no task/);
});

run();
