import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { Call, Gates } from '../../src/router/gates.js';
import { suite } from '../harness/suite.js';
import { NotingGate } from './governed-rig.js';

const { test, run } = suite('Gates');
const newCall = () => new Call('Set', 'write', { name: 'ada' }, 1);

test('are asked in order and told in reverse', () => {
  const [first, second] = [new NotingGate('1'), new NotingGate('2')];
  const all: string[] = [];
  first.seen.push = second.seen.push = (line) => all.push(line);
  const gates = new Gates([first, second]);
  const call = newCall();
  assert.is(gates.enter(call), undefined);
  gates.leave(call, undefined);
  const order = all.map((line) => line.slice(0, 7));
  assert.equal(order, ['1 enter', '2 enter', '2 leave', '1 leave']);
});

test('stop at the first refusal, of which those before it are told', () => {
  const list = [new NotingGate('1'), new NotingGate('2'), new NotingGate('3')];
  const gates = new Gates(list);
  const refusal = new StormError('RESOURCE_EXHAUSTED', 'later');
  const [first, second, third] = list;
  assert.ok(first && second && third);
  second.refusal = refusal;
  assert.is(gates.enter(newCall()), refusal);
  assert.is(first.seen[1], '1 leave 1 RESOURCE_EXHAUSTED');
  assert.is(second.seen.length, 1);
  assert.is(third.seen.length, 0);
});

test('charge what a call turned out to hold; the longest rest counts', () => {
  const [first, second] = [new NotingGate('1'), new NotingGate('2')];
  first.restMs = 5;
  second.restMs = 9;
  const call = newCall();
  assert.is(new Gates([first, second]).charge(call, 4), 9);
  assert.is(call.entries, 5);
  assert.is(new Gates([]).charge(call, 4), 0);
});

run();
