/**
 * A job's sync of the shard's folder fails, and the disk forgets names that another job made there,
 * while programs go on seeing them. Nothing may be acknowledged that rests on such a name.
 */
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { runJob } from '../../src/compactor/run-job.js';
import { isDistrusted } from '../../src/storage/distrust.js';
import { walFileName } from '../../src/storage/file-names.js';
import { WatchedFolder } from '../../src/storage/watched-folder.js';
import { EngineRig, RIG_DIR } from '../harness/engine-rig.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Shard');
const VALUE = 'v'.repeat(1000);

/** Calls `meddle` each time after a file got the name of a segment, before that name is synced. */
class MeddledDisk extends WatchedFolder {
  readonly #meddle: () => void;

  constructor(disk: SimulatedDisk, meddle: () => void) {
    super(disk, '', () => {});
    this.#meddle = meddle;
  }

  override rename(from: string, to: string): void {
    super.rename(from, to);
    if (to.endsWith('.seg')) this.#meddle();
  }
}

/** Keys that were acknowledged until the shard gave up, or `count` of them. */
function writeUntilPoisoned(rig: EngineRig, count: number): string[] {
  const keys: string[] = [];
  for (let i = 0; i < count; i++) {
    const key = `k${i}`;
    try {
      if (rig.write([[{ key, value: VALUE }]]) !== undefined) keys.push(key);
      rig.settle();
    } catch (error) {
      if (rig.engine.poison === undefined) throw error;
      return keys;
    }
  }
  return keys;
}

test('acknowledges nothing on a segment whose name another job has lost', () => {
  const disk = new SimulatedDisk();
  let isArmed = false;
  const rig: EngineRig = new EngineRig(
    new MeddledDisk(disk, () => {
      if (!isArmed) return;
      isArmed = false;
      disk.fail({ kind: 'syncDir', code: 'EIO' });
      const name = walFileName(77);
      const result = runJob(disk, {
        kind: 'fill-segment',
        dir: RIG_DIR,
        name,
        sizeBytes: 4096,
        syncAlarm,
      });
      assert.is(result.ok, false);
    }),
    1,
  );
  rig.engine.maintain();
  const syncAlarm = rig.jobs.waiting('fill-segment')[0]?.syncAlarm ?? new SharedArrayBuffer(0);
  isArmed = true;
  const keys = writeUntilPoisoned(rig, 400);
  assert.not(isArmed, 'a segment was made');
  assert.match(rig.engine.poison ?? '', /sync of the shard's folder failed/);
  assert.ok(isDistrusted(disk, RIG_DIR));
  disk.crash(1, 'synced-only');
  const next = new EngineRig(disk, 2);
  assert.equal(
    keys.filter((key) => next.get(key) !== VALUE),
    [],
  );
});

test('does not seal the log after a failed sync of its folder', () => {
  const disk = new SimulatedDisk();
  const rig = new EngineRig(disk, 1);
  rig.engine.maintain();
  disk.fail({ kind: 'syncDir', code: 'EIO' });
  rig.jobs.runAll('fill-segment');
  assert.throws(
    () => rig.engine.close(),
    (error: unknown) => error instanceof StormError && error.code === 'UNAVAILABLE',
  );
  assert.ok(isDistrusted(disk, RIG_DIR));
});

run();
