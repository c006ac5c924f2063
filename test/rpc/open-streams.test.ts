import * as assert from 'uvu/assert';
import { OpenStreams } from '../../src/rpc/open-streams.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('OpenStreams');

test('stops each open stream once, and none that is forgotten', () => {
  const streams = new OpenStreams();
  const stopped: string[] = [];
  streams.add(() => stopped.push('a'));
  const forget = streams.add(() => stopped.push('b'));
  streams.add(() => stopped.push('c'));
  forget();
  assert.is(streams.count, 2);
  streams.stopAll();
  streams.stopAll();
  assert.equal(stopped, ['a', 'c']);
  assert.is(streams.count, 0);
});

test('stops at once what begins after that', () => {
  const streams = new OpenStreams();
  streams.stopAll();
  let isStopped = false;
  streams.add(() => {
    isStopped = true;
  })();
  assert.is(isStopped, true);
  assert.is(streams.count, 0);
});

run();
