import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { GovernedAccess } from '../../src/router/access.js';
import { Gates } from '../../src/router/gates.js';
import type { Ask, Desk } from '../../src/router/supervisor-calls.js';
import type { Credentials } from '../../src/rpc/access.js';
import { suite } from '../harness/suite.js';
import { NotingGate, PlainStore } from './governed-rig.js';

const { test, run } = suite('GovernedAccess');
const KEY = Buffer.from('key');

class SilentDesk implements Desk {
  asked = 0;
  readonly ask: Ask = (_question, _timeoutMs, done) => {
    this.asked++;
    done(new StormError('UNAVAILABLE', 'nobody there'), undefined);
  };
}

function from(peer: string): Credentials {
  return { door: 'grpc', peer, authorization: undefined, certificate: undefined };
}

function makeRig(callersMax = 3) {
  const gate = new NotingGate('a');
  const desk = new SilentDesk();
  const access = new GovernedAccess({
    operations: new PlainStore(),
    desk,
    gates: new Gates([gate]),
    after: () => () => {},
    callersMax,
  });
  return { gate, desk, access };
}

test('a call is made in the name of the address that it comes from', () => {
  const { access, gate } = makeRig();
  access.kv(from('10.0.0.1')).set(KEY, KEY, 1, () => {});
  access.kv(from('')).get(KEY, 1, () => {});
  assert.is(gate.seen[0], 'a enter Set write 1 10.0.0.1');
  assert.is(gate.seen[2], 'a enter Get read 1 unknown');
});

test('an operator passes the gates too, by the name of the question', () => {
  const { access, gate, desk } = makeRig();
  let code = '';
  const note = (error: StormError | undefined) => {
    code = error?.code ?? '';
  };
  access.admin(from('::1')).stats(5, note);
  assert.equal(gate.seen, ['a enter Stats admin 1 ::1', 'a leave 1 UNAVAILABLE']);
  assert.is(code, 'UNAVAILABLE');
  gate.refusal = new StormError('RESOURCE_EXHAUSTED', 'later');
  access.admin(from('::1')).stats(5, note);
  assert.is(code, 'RESOURCE_EXHAUSTED');
  assert.is(desk.asked, 1);
});

test('a caller is remembered, and of many only those that called last', () => {
  const { access } = makeRig();
  const first = access.kv(from('a'));
  for (const peer of ['b', 'a', 'c', 'a', 'd', 'a']) access.kv(from(peer));
  assert.is(access.kv(from('a')), first);
  assert.is(access.callerCount, 3);
  for (let i = 0; i < 10_000; i++) access.kv(from(`caller-${i}`));
  assert.is(access.callerCount, 3);
  assert.is.not(access.kv(from('a')), first);
});

run();
