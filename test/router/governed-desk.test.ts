import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { Gates } from '../../src/router/gates.js';
import { GovernedDesk } from '../../src/router/governed-desk.js';
import type { Ask } from '../../src/router/supervisor-calls.js';
import { suite } from '../harness/suite.js';
import { NotingGate } from './governed-rig.js';

const { test, run } = suite('GovernedDesk');

test('asks only what the gates let through, and tells them how it went', () => {
  const gate = new NotingGate('a');
  let asked = 0;
  const ask: Ask = (_question, _timeoutMs, done) => {
    asked++;
    done(new StormError('INTERNAL', 'broken'), undefined);
  };
  const desk = new GovernedDesk({ ask }, new Gates([gate]), { name: 'ops' });
  const codes: (string | undefined)[] = [];
  const kill = { kind: 'kill', victim: { kind: 'merger' } } as const;
  desk.ask(kill, 5, (error) => codes.push(error?.code));
  gate.refusal = new StormError('RESOURCE_EXHAUSTED', 'later');
  desk.ask(kill, 5, (error) => codes.push(error?.code));
  assert.equal(codes, ['INTERNAL', 'RESOURCE_EXHAUSTED']);
  assert.is(asked, 1);
  assert.equal(gate.seen.slice(0, 2), ['a enter Kill admin 1 ops', 'a leave 1 INTERNAL']);
});

run();
