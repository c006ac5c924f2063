/** A backup of a closed data dir on a simulated disk, made by the job that makes real ones. */
import { runCopy } from '../../src/compactor/run-copy.js';
import type { CopyFile } from '../../src/rpc/jobs.js';
import {
  backupShardDir,
  backupTableName,
  type Inventory,
  writeInventory,
} from '../../src/storage/backup-inventory.js';
import { tableFileName } from '../../src/storage/file-names.js';
import { readManifest } from '../../src/storage/manifest-log.js';
import { tablesOf } from '../../src/storage/manifest-state.js';
import { readRoot } from '../../src/storage/root-manifest.js';
import { readWal } from '../../src/storage/wal-reader.js';
import { dataDirOnDisk } from './check-rig.js';
import type { SimulatedDisk } from './simulated-disk.js';

export const BACKUP_DIR = '/backups';
export const TAKEN_MS = 2_000_000_000_000;

export interface MadeBackup {
  disk: SimulatedDisk;
  inventory: Inventory;
}

export function makeBackup(isLink = false): MadeBackup {
  const disk = dataDirOnDisk();
  const root = readRoot(disk, '/data');
  if (root === undefined) throw new Error('There is a root');
  const dir = backupShardDir('/data', 0);
  const found = readManifest(disk, dir, { shard: 0, storeUuid: root.storeUuid });
  if (found === undefined) throw new Error('There is a manifest');
  const { state } = found;
  const storeUuid = new Uint8Array(Buffer.from(root.storeUuid, 'hex'));
  const { minSegment, flushedSequence } = state;
  const whose = { shard: 0, storeUuid };
  const { live, end } = readWal(disk, dir, whose, minSegment, flushedSequence, () => {});
  const logs = live.map(({ path, number, lastSequence }): CopyFile => {
    return {
      kind: 'log',
      name: path.slice(dir.length + 1),
      number,
      endOffset: undefined,
      lastSequence,
    };
  });
  const tables = tablesOf(state).map((table): CopyFile => {
    const names = { name: tableFileName(table.number), to: backupTableName(table) };
    return { kind: 'table', ...names, sizeBytes: table.sizeBytes, crc32: table.crc32, isLink };
  });
  const backupDir = backupShardDir(BACKUP_DIR, 0);
  disk.makeDir(backupDir);
  const output = runCopy(disk, { kind: 'copy', dir, backupDir, files: [...logs, ...tables] });
  const inventory: Inventory = {
    id: 1,
    createdMs: TAKEN_MS,
    program: '1.2.3',
    root,
    shards: [
      {
        shard: 0,
        state,
        sequence: Math.max(end.lastSequence, flushedSequence),
        takenAtMs: TAKEN_MS,
        tablesAtMs: 0,
        log: output.logs ?? [],
      },
    ],
  };
  writeInventory(disk, BACKUP_DIR, inventory);
  return { disk, inventory };
}
