/** The first opening of a shard, ended before each change it makes to the disk, again and again. */
import * as assert from 'uvu/assert';
import { Engine } from '../../src/shard/engine.js';
import { parseFileName } from '../../src/storage/file-names.js';
import {
  EngineRig,
  InlineJobs,
  PlainArenas,
  RIG_DIR,
  smallOptions,
} from '../harness/engine-rig.js';
import { ManualClock } from '../harness/manual-clock.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { SimulatedDisk } from '../harness/simulated-disk.js';
import type { CrashMode } from '../harness/simulated-file.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('The first opening of a shard');
const MODES: readonly CrashMode[] = ['synced-only', 'prefix', 'subset', 'all'];

/** The disk as the root manifest leaves it: an empty folder. */
function emptyShard(): SimulatedDisk {
  const disk = new SimulatedDisk();
  disk.makeDir(RIG_DIR);
  disk.syncDir('/data');
  disk.syncDir('/');
  return disk;
}

/** Opens the shard, whose power fails before the n-th change; false when it made fewer. */
function failBefore(disk: SimulatedDisk, n: number, seed: number): boolean {
  const options = smallOptions();
  const env = {
    fs: disk,
    clock: new ManualClock(),
    random: new SeededRandom(seed),
    jobs: new InlineJobs(disk),
    arenas: new PlainArenas(4, options.arenaBytes),
  };
  disk.crashBeforeChange(n);
  try {
    Engine.open(env, options);
    disk.clearFaults();
    return false;
  } catch (error) {
    assert.match(`${String(error)} ${error instanceof Error ? String(error.cause) : ''}`, /down/);
    return true;
  }
}

/** It opens, takes writes, keeps them, and has no file that counts for nothing. */
function checkUsable(disk: SimulatedDisk, seed: number, where: string): void {
  const rig = new EngineRig(disk, seed);
  assert.is(rig.engine.report.records, 0, where);
  assert.equal(rig.write([[{ key: 'k', value: 'v' }]]), [1], `${where}: sequences begin at 1`);
  const names = disk.list(RIG_DIR);
  const manifests = names.filter((name) => parseFileName(name).kind === 'manifest');
  assert.is(manifests.length, 1, `${where}: ${names.join(' ')}`);
  assert.not(
    names.some((name) => parseFileName(name).kind === 'temporary'),
    where,
  );
  disk.crash(seed, 'synced-only');
  assert.is(new EngineRig(disk, seed + 1).get('k'), 'v', where);
}

test('may end before any change, twice, and leaves a shard that opens and keeps its writes', () => {
  let states = 0;
  for (let first = 1, isCut = true; isCut; first++) {
    for (const [seed, mode] of MODES.entries()) {
      const disk = emptyShard();
      isCut = failBefore(disk, first, seed);
      disk.crash(seed, mode);
      for (let second = 1, isCutAgain = true; isCutAgain; second++) {
        const again = disk.clone();
        isCutAgain = failBefore(again, second, seed + 10);
        again.crash(seed + second, MODES[(seed + second) % MODES.length]);
        checkUsable(again, 100 + seed, `changes ${first} and ${second}, ${mode}`);
        states++;
      }
    }
  }
  assert.ok(states > 300, `${states} states`);
});

run();
