/**
 * All keys and values of a stopped server's data dir, shard by shard, each in the order of its
 * keys. Reads only (see stored-shard.ts). Holds one shard's log in memory, and one table of each of
 * its sorted runs open.
 */
import { StormError } from '../base/errors.js';
import { shardId } from '../base/ids.js';
import type { EntryView } from '../storage/entry-cursor.js';
import { ROOT_FILE, shardDirName } from '../storage/file-names.js';
import type { FileSystem } from '../storage/file-system.js';
import { compareBytes } from '../storage/key-bytes.js';
import { MergeCursor } from '../storage/merge-cursor.js';
import { type Root, readRoot } from '../storage/root-manifest.js';
import { LogEntries } from './log-entries.js';
import { NewestEntries } from './newest-entries.js';
import { openStoredShard } from './stored-shard.js';

/** Throws INVALID_ARGUMENT where there is no data dir. */
export function rootOf(fs: FileSystem, dir: string): Root {
  const root = readRoot(fs, dir);
  if (root !== undefined) return root;
  throw new StormError('INVALID_ARGUMENT', `${dir} is no data dir: it has no ${ROOT_FILE}`);
}

/**
 * Shows each key that has a value at `nowMs` and begins with `prefix`. The view is borrowed: its
 * bytes are others after the next one.
 */
export function* storedEntries(
  fs: FileSystem,
  dir: string,
  { prefix, nowMs }: { prefix: Uint8Array; nowMs: number },
): Generator<EntryView, void, void> {
  const { shardCount, storeUuid } = rootOf(fs, dir);
  for (let shard = 0; shard < shardCount; shard++) {
    const log = new LogEntries();
    const path = `${dir}/${shardDirName(shardId(shard))}`;
    const stored = openStoredShard(fs, path, { shard, storeUuid }, (frame, flushed) => {
      log.add(frame, flushed);
    });
    log.putInOrder();
    try {
      const merged = new MergeCursor([log, ...stored.runs]);
      if (prefix.length === 0) merged.seekToFirst();
      else merged.seek(prefix);
      const newest = new NewestEntries(merged, nowMs);
      while (newest.next() && beginsWith(newest.entry, prefix)) yield newest.entry;
    } finally {
      for (const run of stored.runs) run.close();
    }
  }
}

function beginsWith({ keyBytes, keyStart, keyLength }: EntryView, prefix: Uint8Array): boolean {
  const length = Math.min(keyLength, prefix.length);
  return compareBytes(keyBytes, keyStart, length, prefix, 0, prefix.length) === 0;
}
