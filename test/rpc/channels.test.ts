import * as assert from 'uvu/assert';
import { systemChannels } from '../../src/rpc/channels.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Channels');

test('a message that was posted can be received at once, in order, and only once', () => {
  const { port1, port2 } = systemChannels.open();
  port1.postMessage('first');
  port1.postMessage({ second: true });
  assert.equal(systemChannels.receive(port2), { message: 'first' });
  assert.equal(systemChannels.receive(port2), { message: { second: true } });
  assert.is(systemChannels.receive(port2), undefined);
  assert.is(systemChannels.receive(port1), undefined);
  port1.close();
});

run();
