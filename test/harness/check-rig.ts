/** A small data dir on a simulated disk with everything in it that a check looks at. */

import { checkDataDir } from '../../src/storage/check-data-dir.js';
import type { Finding } from '../../src/storage/check-finding.js';
import { surveyManifest } from '../../src/storage/check-manifest.js';
import type { CheckTotals } from '../../src/storage/check-shard.js';
import type { FileSystem } from '../../src/storage/file-system.js';
import type { ManifestState } from '../../src/storage/manifest-state.js';
import { createRoot } from '../../src/storage/root-manifest.js';
import { EngineRig, RIG_DIR, smallOptions } from './engine-rig.js';
import { SeededRandom } from './seeded-random.js';
import { SimulatedDisk } from './simulated-disk.js';

/** One shard with several runs, a WAL of more than one segment and an orderly close. */
export function dataDirOnDisk(): SimulatedDisk {
  const disk = new SimulatedDisk();
  const root = createRoot(disk, '/data', { shardCount: 1, random: new SeededRandom(7) });
  disk.syncDir('/');
  const { table } = smallOptions();
  const options = smallOptions({
    storeUuid: root.storeUuid,
    table: { ...table, compression: 'deflate' },
    // Several tables must stay, whatever the picker thinks of them.
    mergeFanIn: 64,
    mergeGarbagePercentQuiet: 100,
  });
  for (let life = 1; life <= 2; life++) {
    const rig = new EngineRig(disk, life, options);
    const random = new SeededRandom(life);
    for (let i = 0; i < 300; i++) {
      const key = `k${random.nextInt(200)}`;
      const isDelete = random.chance(0.1);
      const value = isDelete ? undefined : `answer ${i} `.repeat(1 + random.nextInt(4));
      while (rig.write([[{ key, value }]]) === undefined) rig.settle();
      rig.engine.maintain();
      if (random.chance(0.5) && rig.jobs.count > 0) rig.jobs.runOne();
    }
    rig.settle();
    // Some that stay in the log only.
    for (let i = 0; i < 12; i++) rig.write([[{ key: `late${i}`, value: 'x'.repeat(50 + i) }]]);
    rig.engine.close();
  }
  return disk;
}

export interface CheckResult {
  findings: Finding[];
  damage: Finding[];
  totals: CheckTotals;
}

export function check(fs: FileSystem): CheckResult {
  const findings: Finding[] = [];
  const totals = { shards: 0, tables: 0, tableBytes: 0, entries: 0, segments: 0, frames: 0 };
  checkDataDir(fs, '/data', { found: (f) => findings.push(f), progress: () => {}, totals });
  return { findings, damage: findings.filter(({ severity }) => severity === 'damage'), totals };
}

/** Paths of the files whose names match, in order. */
export function filesOf(disk: SimulatedDisk, name: RegExp, dir = RIG_DIR): string[] {
  return disk
    .list(dir)
    .filter((entry) => name.test(entry))
    .map((entry) => `${dir}/${entry}`);
}

/** The state that the manifest in force describes. */
export function stateOf(disk: SimulatedDisk): ManifestState {
  const states: ManifestState[] = [];
  for (const path of filesOf(disk, /^manifest/)) {
    surveyManifest(disk, path, { end: (state) => states.push(state) }, () => {});
  }
  const state = states[0];
  if (state === undefined) throw new Error('There is no manifest');
  return state;
}

/** Calls `body` with the disk while one bit of the file is flipped. */
export function withFlippedBit(
  disk: SimulatedDisk,
  path: string,
  offset: number,
  bit: number,
  body: () => void,
): void {
  const whole = disk.contentOf(path);
  const damaged = whole.slice();
  damaged[offset]! ^= 1 << bit;
  disk.replaceContent(path, damaged);
  try {
    body();
  } finally {
    disk.replaceContent(path, whole);
  }
}
