/**
 * What the manifests and the file names of a data dir say of it, without opening tables or logs.
 * Reads only; nobody else may use the data dir meanwhile.
 */
import { StormError } from '../base/errors.js';
import { shardId } from '../base/ids.js';
import { parseFileName, ROOT_FILE, shardDirName } from './file-names.js';
import type { FileSystem } from './file-system.js';
import { readManifest } from './manifest-log.js';
import { EMPTY_STATE } from './manifest-state.js';
import { readRoot } from './root-manifest.js';

export interface StoredShard {
  shard: number;
  tables: number;
  sortedRuns: number;
  /** Superseded and deleted entries among them; what is only in the log is not counted. */
  tableEntries: number;
  tombstones: number;
  tableBytes: number;
  walFiles: number;
  /** Segments are filled ahead, so this is their room, not what is written. */
  walBytes: number;
  /** Everything in the shard's folder. */
  fileBytes: number;
  flushedSequence: number;
}

/** Throws INVALID_ARGUMENT where there is no data dir, DATA_CORRUPTION where it is damaged. */
export function readDataDirStats(fs: FileSystem, dir: string): StoredShard[] {
  const root = readRoot(fs, dir);
  if (root === undefined) {
    throw new StormError('INVALID_ARGUMENT', `${dir} is no data dir: it has no ${ROOT_FILE}`);
  }
  return Array.from({ length: root.shardCount }, (_, shard) =>
    readShard(fs, dir, { shard, storeUuid: root.storeUuid }),
  );
}

function readShard(
  fs: FileSystem,
  dataDir: string,
  identity: { shard: number; storeUuid: string },
): StoredShard {
  const dir = `${dataDir}/${shardDirName(shardId(identity.shard))}`;
  const { runs, flushedSequence } = readManifest(fs, dir, identity)?.state ?? EMPTY_STATE;
  const tables = runs.flatMap((run) => run.tables);
  const files = fs.list(dir).map((name) => ({
    kind: parseFileName(name).kind,
    sizeBytes: fs.stat(`${dir}/${name}`)?.sizeBytes ?? 0,
  }));
  const segments = files.filter(({ kind }) => kind === 'wal');
  const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0);
  return {
    shard: identity.shard,
    tables: tables.length,
    sortedRuns: runs.length,
    tableEntries: sum(tables.map(({ entryCount }) => entryCount)),
    tombstones: sum(tables.map(({ tombstoneCount }) => tombstoneCount)),
    tableBytes: sum(tables.map(({ sizeBytes }) => sizeBytes)),
    walFiles: segments.length,
    walBytes: sum(segments.map(({ sizeBytes }) => sizeBytes)),
    fileBytes: sum(files.map(({ sizeBytes }) => sizeBytes)),
    flushedSequence,
  };
}
