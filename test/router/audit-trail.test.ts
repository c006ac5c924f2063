import * as assert from 'uvu/assert';
import { AuditTrail } from '../../src/router/audit-trail.js';
import type { AuditRecord } from '../../src/rpc/audit.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('AuditTrail');

function rig(kindsMax = 256) {
  const lines: AuditRecord[] = [];
  const due: (() => void)[] = [];
  const trail = new AuditTrail({
    write: (record) => lines.push(record),
    after: (_ms, task) => due.push(task),
    kindsMax,
  });
  /** All that is folded is told. */
  const pass = () => {
    for (const task of due.splice(0)) task();
  };
  return { trail, lines, pass };
}

const refusal = (peer: string, reason = 'no-credentials'): AuditRecord => ({
  event: 'refused',
  door: 'grpc',
  peer,
  reason,
});

test('tells acts one by one', () => {
  const { trail, lines } = rig();
  for (let i = 0; i < 3; i++) trail.act({ event: 'admin', operation: 'backup', outcome: 'ok' });
  assert.is(lines.length, 3);
});

test('tells a refusal at once, and how many like it came until the fold ends', () => {
  const { trail, lines, pass } = rig();
  for (let i = 0; i < 1000; i++) trail.refusal(refusal('a'));
  trail.refusal(refusal('b'));
  trail.refusal(refusal('a', 'unknown-token'));
  assert.is(lines.length, 3);
  pass();
  assert.equal(lines.slice(3), [{ ...refusal('a'), count: 999 }]);
  trail.refusal(refusal('a'));
  assert.is(lines.length, 5, 'the next fold begins with a line');
  trail.refusal(refusal('a'));
  trail.close();
  assert.is(lines.at(-1)?.count, 1);
});

test('more kinds than it remembers are counted together', () => {
  const { trail, lines, pass } = rig(10);
  for (let i = 0; i < 10_000; i++) trail.refusal(refusal(`10.0.${i >> 8}.${i & 255}`));
  assert.is(lines.length, 10);
  pass();
  assert.is(lines.length, 11);
  assert.equal(lines[10], { event: 'refused', reason: 'many-kinds-of-refusals', count: 9990 });
});

run();
