import * as assert from 'uvu/assert';
import { type ErrorCode, StormError } from '../../src/base/errors.js';
import { BreakerGate } from '../../src/router/breaker-gate.js';
import { ShardDownError } from '../../src/router/call-errors.js';
import { Call } from '../../src/router/gates.js';
import {
  type BreakerScope,
  type CallClass,
  OPEN_TRAFFIC,
  TrafficMemory,
} from '../../src/rpc/traffic.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('BreakerGate');
const ADA = { name: 'ada' };

function makeRig(scopes: BreakerScope[]) {
  const clock = { nowMs: 1_000_000 };
  const memory = new TrafficMemory(TrafficMemory.allocate());
  const settings = { ...OPEN_TRAFFIC.breaker, scopes };
  const gate = new BreakerGate(memory, settings, () => clock.nowMs);
  /** So many calls, each answered at once; returns how many were let in. */
  const calls = (count: number, error?: StormError, kind: CallClass = 'write', caller = ADA) => {
    let passed = 0;
    for (let i = 0; i < count; i++) {
      const call = new Call('X', kind, caller, 1);
      if (gate.enter(call) !== undefined) continue;
      passed++;
      gate.leave(call, error);
    }
    return passed;
  };
  return { clock, gate, settings, calls };
}

const fault = (code: ErrorCode) => new StormError(code, 'x');

test('faults of the server open it; what callers do wrong and what is turned away does not', () => {
  for (const code of ['UNAVAILABLE', 'INTERNAL', 'DEADLINE_EXCEEDED', 'DATA_CORRUPTION'] as const) {
    assert.is(makeRig(['write']).calls(200, fault(code)), 100, code);
  }
  const harmless = ['NOT_FOUND', 'INVALID_ARGUMENT', 'ABORTED', 'RESOURCE_EXHAUSTED'] as const;
  for (const code of harmless) assert.is(makeRig(['write']).calls(1000, fault(code)), 1000, code);
});

test('a shard that is known to be down does not close the others', () => {
  const { calls } = makeRig(['global', 'write']);
  assert.is(calls(1000, new ShardDownError('UNAVAILABLE', 'down')), 1000);
});

test('is of one class: reads go on when writes fail', () => {
  const { calls, gate } = makeRig(['read', 'write']);
  calls(100, fault('INTERNAL'));
  const refusal = gate.enter(new Call('Set', 'write', ADA, 1));
  assert.is(refusal?.code, 'UNAVAILABLE');
  assert.is(refusal?.retryAfterMs, 1000);
  assert.match(refusal?.message ?? '', /breaker of class write is open/);
  assert.is(calls(10, undefined, 'read'), 10);
  assert.is(gate.refusedTotal, 1);
});

test('of a caller it refuses that caller alone, of all calls it refuses all', () => {
  const own = makeRig(['caller']);
  own.calls(100, fault('INTERNAL'));
  assert.is(own.calls(5), 0);
  assert.is(own.calls(5, undefined, 'write', { name: 'bob' }), 5);
  const all = makeRig(['global']);
  all.calls(100, fault('INTERNAL'));
  assert.is(all.calls(5, undefined, 'read', { name: 'bob' }), 0);
});

test('recovers through probes', () => {
  const { calls, clock } = makeRig(['global', 'write']);
  calls(100, fault('INTERNAL'));
  clock.nowMs += 1000;
  // Three good ones of five prove it, and the rest passes freely.
  assert.is(calls(100), 100);
});

test('a probe of one that another refuses is given back', () => {
  const { calls, clock, gate, settings } = makeRig(['global']);
  calls(100, fault('INTERNAL'));
  // Let the global one be half-open while the class is open.
  clock.nowMs += 900;
  gate.configure({ ...settings, scopes: ['global', 'write'] });
  clock.nowMs += 100;
  const call = new Call('X', 'write', ADA, 1);
  assert.is(gate.enter(call), undefined);
  gate.leave(call, fault('RESOURCE_EXHAUSTED'));
  assert.is(calls(100), 100, 'it was no probe after all');
});

test('switched off lets everything in and forgets', () => {
  const { calls, gate, settings } = makeRig(['write']);
  calls(100, fault('INTERNAL'));
  assert.is(calls(5), 0);
  gate.configure({ ...settings, scopes: [] });
  assert.is(calls(1000, fault('INTERNAL')), 1000);
  gate.configure(settings);
  assert.is(calls(5), 5);
});

run();
