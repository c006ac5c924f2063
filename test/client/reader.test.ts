import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { Reader } from '../../src/client/reader.js';
import { decodeBatchGetRequest, encodeBatchGetResponse } from '../../src/rpc/batch-codec.js';
import { suite } from '../harness/suite.js';
import { FakeChannel, ManualTimers } from './client-rig.js';

const { test, run } = suite('The reader of the client');

function rig() {
  const timers = new ManualTimers();
  const channel = new FakeChannel();
  const reader = new Reader({ batchKeysMax: 4, deadlineMs: 1000, callsMax: 2 }, timers);
  reader.useChannels([channel]);
  const found = new Map<string, string>();
  const get = (key: string): void => {
    reader.get(Buffer.from(key), (error, value) => {
      assert.not.ok(found.has(key), `${key} is answered once`);
      found.set(key, error?.code ?? (value === undefined ? 'none' : String(value.value)));
    });
  };
  /** Answers the oldest call: each key with its own name, but none for `absent`. */
  const answer = (): void => {
    const call = channel.calls.shift();
    const keys = decodeBatchGetRequest(call?.message ?? Buffer.alloc(0)).map(String);
    const results = keys.map((key) =>
      key === 'absent' ? undefined : { value: Buffer.from(`of ${key}`), sequence: 1 },
    );
    call?.done(undefined, encodeBatchGetResponse(results));
  };
  const fail = (error: StormError): void => {
    channel.calls.shift()?.done(error, Buffer.alloc(0));
  };
  return { timers, channel, reader, found, get, answer, fail };
}

const keysOf = ({ channel }: ReturnType<typeof rig>): string[][] =>
  channel.calls.map(({ message }) => decodeBatchGetRequest(message).map(String));

test('keys of one turn travel together and are answered each', () => {
  const house = rig();
  for (const key of ['a', 'absent', 'c', 'd', 'e']) house.get(key);
  house.timers.pass(0);
  assert.equal(keysOf(house), [['a', 'absent', 'c', 'd'], ['e']]);
  house.answer();
  house.answer();
  assert.equal([...house.found.values()], ['of a', 'none', 'of c', 'of d', 'of e']);
});

test('while enough calls are on their way, keys gather', () => {
  const house = rig();
  for (const key of ['a', 'b', 'c']) {
    house.get(key);
    house.timers.pass(0);
  }
  house.get('d');
  house.timers.pass(0);
  assert.equal(keysOf(house), [['a'], ['b']]);
  house.answer();
  house.timers.pass(0);
  assert.equal(keysOf(house), [['b'], ['c', 'd']]);
});

test('one wrong key fails alone', () => {
  const house = rig();
  for (const key of ['a', 'wrong', 'c']) house.get(key);
  house.timers.pass(0);
  const invalid = new StormError('INVALID_ARGUMENT', 'no key');
  for (let i = 0; i < 20 && house.found.size < 3; i++) {
    const [keys] = keysOf(house);
    if (keys?.includes('wrong')) house.fail(invalid);
    else house.answer();
    house.timers.pass(1);
  }
  assert.equal([...house.found].sort(), [
    ['a', 'of a'],
    ['c', 'of c'],
    ['wrong', 'INVALID_ARGUMENT'],
  ]);
});

test('a server that is away is asked again until the deadline', () => {
  const house = rig();
  house.get('a');
  house.timers.pass(0);
  const away = new StormError('UNAVAILABLE', 'away');
  house.fail(away);
  house.timers.pass(50);
  house.answer();
  assert.is(house.found.get('a'), 'of a');
  house.get('b');
  house.timers.pass(0);
  for (let i = 0; i < 200 && house.found.size < 2; i++) {
    if (house.channel.calls.length > 0) house.fail(away);
    house.timers.pass(20);
  }
  assert.is(house.found.get('b'), 'UNAVAILABLE');
  assert.ok(house.timers.nowMs < 1000 + 50 + 1100);
});

test('an answer for another number of keys is an error, not a guess', () => {
  const house = rig();
  house.get('a');
  house.get('b');
  house.timers.pass(0);
  house.channel.calls.shift()?.done(undefined, encodeBatchGetResponse([undefined]));
  assert.equal([...house.found.values()], ['INTERNAL', 'INTERNAL']);
});

test('a closed reader answers everything: what gathers, waits, is on its way, or comes later', () => {
  const house = rig();
  for (const key of ['a', 'b', 'c']) {
    house.get(key);
    house.timers.pass(0);
  }
  house.get('gathering');
  house.reader.close();
  house.get('later');
  assert.equal([...house.found.keys()], ['c', 'gathering', 'later']);
  house.fail(new StormError('UNAVAILABLE', 'cancelled'));
  house.answer();
  house.timers.pass(2000);
  assert.is(house.channel.calls.length, 0);
  assert.equal(Object.fromEntries(house.found), {
    a: 'UNAVAILABLE',
    b: 'of b',
    c: 'UNAVAILABLE',
    gathering: 'UNAVAILABLE',
    later: 'FAILED_PRECONDITION',
  });
});

run();
