import * as assert from 'uvu/assert';
import { EngineRig, smallOptions } from '../harness/engine-rig.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Housekeeper');
const LONG_MS = 60_000;

/** A shard whose only job at hand, a spare segment, has failed once. */
function withFailedSegment(): { rig: EngineRig; disk: SimulatedDisk } {
  const disk = new SimulatedDisk();
  const rig = new EngineRig(disk, 1, smallOptions({ walSparesMax: 1, walLiveBytesMax: 64 * 1024 }));
  rig.settle();
  fillSegment(rig);
  disk.fail({ kind: 'write', code: 'ENOSPC', path: '.seg' });
  rig.engine.maintain();
  assert.is(rig.jobs.count, 1);
  rig.jobs.runAll('fill-segment');
  return { rig, disk };
}

/** Writes until the log goes on in its spare segment. */
function fillSegment(rig: EngineRig): void {
  for (let i = 0; rig.engine.figures().walLiveBytes <= 52 * 1024; i++) {
    assert.ok(rig.write([[{ key: `k${i % 50}`, value: 'v'.repeat(500) }]]) !== undefined);
  }
}

test('tries a failed job again after a pause, and not before', () => {
  const { rig } = withFailedSegment();
  let pauses = 0;
  for (; rig.jobs.count === 0; pauses++) {
    const due = rig.engine.maintain();
    if (rig.jobs.count > 0) break;
    assert.ok(due > rig.clock.monotonicMs(), 'it sleeps in between');
    rig.clock.advance(due - rig.clock.monotonicMs());
  }
  assert.ok(pauses > 0 && rig.clock.monotonicMs() >= 500);
});

test('lets the shard sleep while the job that failed before is running', () => {
  const { rig } = withFailedSegment();
  rig.clock.advance(LONG_MS);
  rig.engine.maintain();
  assert.is(rig.jobs.count, 1);
  rig.clock.advance(LONG_MS);
  rig.engine.maintain();
  assert.ok(rig.engine.maintain() > rig.clock.monotonicMs());
});

test('forgets the failure of a job that is not needed any more', () => {
  const { rig, disk } = withFailedSegment();
  // A flush releases the full segment, which becomes the spare that was missing.
  for (let i = 0; rig.engine.figures().flushesTotal === 0; i++) {
    assert.ok(i < 20, 'the bound of the log causes a flush');
    rig.write([[{ key: 'k', value: 'v'.repeat(2000) }]]);
    rig.engine.maintain();
    rig.jobs.runAll('flush');
  }
  rig.clock.advance(LONG_MS);
  rig.engine.maintain();
  assert.is(rig.jobs.count, 0);
  assert.ok(rig.engine.maintain() > rig.clock.monotonicMs());
  disk.clearFaults();
});

test('lets the shard sleep while the manifest cannot be written', () => {
  const { rig, disk } = withFailedSegment();
  disk.fail({ kind: 'open', code: 'ENOSPC', path: 'manifest', sticky: true });
  disk.fail({ kind: 'write', code: 'ENOSPC', path: 'manifest', sticky: true });
  for (let i = 0; i < 100; i++) {
    rig.write([[{ key: `k${i}`, value: 'v'.repeat(2000) }]]);
    rig.engine.maintain();
    rig.jobs.runAll('flush');
  }
  assert.is(rig.engine.figures().flushesTotal, 0, 'no flush counts');
  rig.clock.advance(LONG_MS);
  rig.engine.maintain();
  assert.ok(rig.engine.maintain() > rig.clock.monotonicMs());
  disk.clearFaults();
  rig.clock.advance(LONG_MS);
  rig.settle();
  assert.ok(rig.engine.figures().flushesTotal > 0, 'it goes on by itself');
});

run();
