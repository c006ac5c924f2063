import * as assert from 'uvu/assert';
import { faultSums, formatResult, jsonOf, verdictOf } from '../../src/chaos/chaos-result.js';
import { suite } from '../harness/suite.js';
import { madeUpResult } from './result-rig.js';

const { test, run } = suite('chaos-result');

test('says in a sentence whether every promise was kept', () => {
  assert.is(verdictOf(madeUpResult()), 'Every promise was kept through 2 kills.');
  const interrupted = madeUpResult({ isInterrupted: true, kills: 1 });
  assert.is(
    verdictOf(interrupted),
    'Interrupted; until then every promise was kept through 1 kill.',
  );
  const violations = [{ invariant: 'lost', text: 'hot/1: get found no value' }] as const;
  assert.match(verdictOf(madeUpResult({ violations })), /^FAILED: 1 violation /);
});

test('shows figures, faults and what was violated', () => {
  const violations = [{ invariant: 'lost', text: 'hot/1: get found no value' }] as const;
  const text = formatResult(madeUpResult({ violations }));
  assert.match(text, /60\.0 s, 3 shards, seed 7/);
  assert.match(text, /shard thread killed +1 +400 ms +400 ms/);
  assert.match(text, /disk full for a while +1 +never +never/);
  assert.match(text, /lost: hot\/1: get found no value/);
});

test('is JSON with all figures and the first violations', () => {
  const found = JSON.parse(JSON.stringify(jsonOf(madeUpResult()))) as Record<string, unknown>;
  assert.equal([found['kills'], found['histories'], found['violations']], [2, 12, 0]);
  assert.ok(Number((found['latencyMs'] as Record<string, number>)['p99']) > 10);
  assert.is((found['faults'] as object[]).length, 3);
});

test('sums faults by kind; one that was never over has no longest time', () => {
  const [loss, kill, full] = faultSums(madeUpResult().timeline.faults);
  assert.equal([loss?.medianMs, kill?.longestMs, full?.longestMs], [1500, 400, Infinity]);
});

run();
