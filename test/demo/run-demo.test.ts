import * as assert from 'uvu/assert';
import { formatReport, isIntact } from '../../src/demo/report.js';
import { killMoments, runDemo } from '../../src/demo/run-demo.js';
import { suite } from '../harness/suite.js';
import { fakeRig, formOf, silentProgress, turnOfLoop } from './demo-rig.js';

const { test, run } = suite('runDemo');

function demoOf(rig: ReturnType<typeof fakeRig>, killCount: number, patientCount = 200) {
  const progress = silentProgress();
  const trial = { form: formOf(5), patientCount, seed: 3 };
  let nowMs = 0;
  const report = runDemo({
    trial,
    killCount,
    session: rig.session,
    progress,
    monotonicMs: () => nowMs++,
    sleep: turnOfLoop,
  });
  return { progress, report };
}

test('kills in mid-storm, reads back after an orderly restart and finds everything', async () => {
  const rig = fakeRig();
  rig.store.loseReplyEvery = 7;
  const { report, progress } = demoOf(rig, 3);
  const result = await report;
  assert.equal([result.submitted, result.acknowledged, result.found], [1000, 1000, 1000]);
  assert.equal([result.lost, result.wrong, result.examples], [0, 0, []]);
  assert.ok(result.retries >= 100, String(result.retries));
  assert.equal(rig.store.signals, ['SIGKILL', 'SIGKILL', 'SIGKILL', 'SIGTERM']);
  for (const { acknowledged } of result.kills) assert.ok(acknowledged > 0 && acknowledged < 1000);
  assert.is(progress.steps, 2000);
  assert.is(progress.said.length, 4);
  assert.ok(isIntact(result));
  assert.match(formatReport(result), /^Every acknowledged answer was found\.$/m);
});

test('an acknowledged answer that a crash takes makes it fail', async () => {
  const rig = fakeRig();
  rig.store.onCrash = (stored) => {
    const last = [...stored.keys()].at(-1) ?? '';
    stored.delete(last);
  };
  const result = await demoOf(rig, 1).report;
  assert.equal([result.lost, result.wrong, result.found], [1, 0, 999]);
  assert.not.ok(isIntact(result));
  const text = formatReport(result);
  assert.match(text, /^lost \{patient-/m);
  assert.match(text, /^FAILED: of the acknowledged answers 1 are lost; 0 are wrong\.$/m);
});

test('an answer that comes back with other bytes makes it fail', async () => {
  const rig = fakeRig();
  rig.store.onCrash = (stored) => {
    const [first = ''] = stored.keys();
    stored.set(first, Buffer.from('{}'));
  };
  const result = await demoOf(rig, 1).report;
  assert.equal([result.lost, result.wrong], [0, 1]);
  assert.not.ok(isIntact(result));
});

test('makes as many kills as it was asked for, also when the storm is short', async () => {
  for (const killCount of [0, 4]) {
    const rig = fakeRig();
    const result = await demoOf(rig, killCount, 1).report;
    assert.is(result.kills.length, killCount);
    assert.is(result.found, 5);
  }
});

test('a server that dies by itself ends the demo', async () => {
  const rig = fakeRig();
  const { report } = demoOf(rig, 0);
  rig.session.current().then(() => rig.store.dieByItself(7), assert.unreachable);
  await report.then(
    () => assert.unreachable('the demo went on'),
    (error: Error) => assert.match(error.message, 'The server ended by itself (exit 7)'),
  );
});

test('kill moments depend on the seed, ascend and leave both ends of the storm alone', () => {
  const moments = killMoments(1000, 50, 1);
  assert.equal(moments, killMoments(1000, 50, 1));
  assert.not.equal(moments, killMoments(1000, 50, 2));
  for (let i = 1; i < moments.length; i++) assert.ok((moments[i - 1] ?? 0) <= (moments[i] ?? 0));
  assert.ok((moments[0] ?? 0) >= 50 && (moments.at(-1) ?? 1000) <= 900);
});

run();
