import * as assert from 'uvu/assert';
import { chaosReport } from '../../src/chaos/chaos-report.js';
import { suite } from '../harness/suite.js';
import { madeUpResult } from './result-rig.js';

const { test, run } = suite('chaosReport');

test('shows verdict, figures, every fault and how to do it again', () => {
  const html = chaosReport(madeUpResult(), '1.2.3');
  for (const text of [
    'Every promise was kept through 2 kills.',
    'stormkv 1.2.3, 3 shards, seed 7',
    '15.0 s: power lost: unsynced data dropped; all served after 1,500 ms',
    'disk full for a while; all never served again',
    '--seed 7',
    'UNAVAILABLE: The shard died',
  ]) {
    assert.ok(html.includes(text), text);
  }
  assert.not(/NaN|Infinity|undefined/.test(html));
});

test('shows what was violated', () => {
  const violations = [{ invariant: 'lost', text: 'hot/1: get found <no value>' }] as const;
  const html = chaosReport(madeUpResult({ violations }), '1.2.3');
  assert.ok(html.includes('FAILED: 1 violation '));
  assert.ok(html.includes('hot/1: get found &lt;no value&gt;'));
});

run();
