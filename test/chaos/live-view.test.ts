import * as assert from 'uvu/assert';
import { liveView } from '../../src/chaos/live-view.js';
import type { ChaosView } from '../../src/chaos/run-chaos.js';
import { suite } from '../harness/suite.js';
import { madeUpResult } from './result-rig.js';

const { test, run } = suite('liveView');
const VIEW: ChaosView = {
  phase: 'storm',
  round: 3,
  kills: 4,
  faults: 6,
  recovering: 0,
  violations: 0,
  operations: 1000,
  timeline: madeUpResult().timeline,
};

test('replaces its lines on a terminal', () => {
  const said: string[] = [];
  const view = liveView(
    (line) => said.push(line),
    true,
    () => 1000,
  );
  view.update(VIEW);
  view.update({ ...VIEW, recovering: 2, violations: 1 });
  view.round(VIEW);
  assert.is(said.length, 2);
  assert.match(said[0] ?? '', /round 3 {2}4 kills, 6 faults in all {2}storm/);
  assert.ok(said[1]?.startsWith('\x1b[3A'));
  assert.match(said[1] ?? '', /recovering: 2 shards/);
  assert.match(said[1] ?? '', /1 VIOLATIONS/);
  for (const line of (said[0] ?? '').split('\n')) assert.ok(line.length < 80, line);
});

test('says one plain line per round elsewhere', () => {
  const said: string[] = [];
  const view = liveView(
    (line) => said.push(line),
    false,
    () => 1000,
  );
  view.update(VIEW);
  view.round(VIEW);
  assert.is(said.length, 1);
  for (const sign of ['\x1b', '\n']) assert.not(said[0]?.includes(sign));
  assert.match(said[0] ?? '', /no violation/);
});

run();
