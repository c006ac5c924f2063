/** Manifests on a simulated disk, and the tables that they name. */
import { fileNumber } from '../../src/base/ids.js';
import type { PlacedTable } from '../../src/storage/manifest-format.js';
import { ManifestLog, readManifest } from '../../src/storage/manifest-log.js';
import { EMPTY_STATE, type ManifestState } from '../../src/storage/manifest-state.js';
import { SeededRandom } from './seeded-random.js';
import { SimulatedDisk } from './simulated-disk.js';

export const MANIFEST_DIR = '/shard';
export const MANIFEST_IDENTITY = { shard: 2, storeUuid: '00112233445566778899aabbccddeeff' };

/** A table with keys from `min` to `max`. */
export function placed(
  number: number,
  run: number,
  min: string,
  max: string,
  more: Partial<PlacedTable> = {},
): PlacedTable {
  return {
    number: fileNumber(number),
    sizeBytes: 1234,
    crc32: 0xdead_beef,
    entryCount: 2,
    tombstoneCount: 1,
    minKey: new Uint8Array(Buffer.from(min)),
    maxKey: new Uint8Array(Buffer.from(max)),
    minSequence: 1,
    maxSequence: 2,
    minExpiresAtMs: 0,
    maxExpiresAtMs: 0,
    immortalCount: 1,
    run,
    ...more,
  };
}

export function manifestDisk(): SimulatedDisk {
  const disk = new SimulatedDisk();
  disk.makeDir(MANIFEST_DIR);
  disk.syncAll();
  return disk;
}

export function startManifest(
  disk: SimulatedDisk,
  state: ManifestState = EMPTY_STATE,
  seed = 1,
): ManifestLog {
  return ManifestLog.start(disk, MANIFEST_DIR, new SeededRandom(seed), MANIFEST_IDENTITY, state);
}

export function readState(disk: SimulatedDisk): ManifestState | undefined {
  return readManifest(disk, MANIFEST_DIR, MANIFEST_IDENTITY)?.state;
}
