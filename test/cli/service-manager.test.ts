import { EventEmitter } from 'node:events';
import * as assert from 'uvu/assert';
import { notifierOf } from '../../src/cli/service-manager.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('notifierOf');

class FakeProcess extends EventEmitter {
  isReferenced = true;

  unref(): void {
    this.isReferenced = false;
  }
}

test('tells nobody where no service manager asks', () => {
  assert.is(
    notifierOf({}, () => {}),
    undefined,
  );
  assert.is(
    notifierOf({ NOTIFY_SOCKET: '' }, () => {}),
    undefined,
  );
});

test('runs systemd-notify with the state and does not wait for it', () => {
  const children: FakeProcess[] = [];
  const states: string[][] = [];
  const said: string[] = [];
  const notify = notifierOf(
    { NOTIFY_SOCKET: '/run/systemd/notify' },
    (line) => said.push(line),
    (args) => {
      states.push(args);
      const child = new FakeProcess();
      children.push(child);
      return child;
    },
  );
  notify?.('READY=1');
  notify?.('STOPPING=1');
  assert.equal(states, [['READY=1'], ['STOPPING=1']]);
  assert.equal(
    children.map(({ isReferenced }) => isReferenced),
    [false, false],
  );
  children[0]?.emit('exit', 0);
  assert.equal(said, []);
  children[0]?.emit('error', new Error('spawn systemd-notify ENOENT'));
  children[1]?.emit('exit', 1);
  assert.match(said[0] ?? '', /READY=1.*ENOENT/);
  assert.match(said[1] ?? '', /STOPPING=1.*ended with 1/);
});

run();
