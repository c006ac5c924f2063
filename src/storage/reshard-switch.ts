/**
 * How a data dir becomes one of another shard count: at one moment, whatever crashes (see
 * docs/formats/root.md). The new shards are built in a side folder; then
 *   1. ROOT is replaced by one that has the new slot ranges and `incoming`. Before it the old
 *      store is whole, behind it the new one: what follows is only moving.
 *   2. Each old shard's folder moves aside, each new one into its place. Either is a rename.
 *   3. ROOT is replaced by one without `incoming`, and the side folder is removed.
 * Interrupted behind 1, the next opening goes on; interrupted before, it removes the side folder.
 * Belongs to whoever holds the data dir's lock.
 */
import { shardId } from '../base/ids.js';
import { writeCheckedJson } from './checked-json.js';
import { ROOT_FILE, shardDirName } from './file-names.js';
import type { FileSystem } from './file-system.js';
import { encodeRoot, equalSlotRanges, type Root, readRootOfAnyKind } from './root-manifest.js';

/** In the data dir, while it is rewritten. */
export const RESHARD_DIR = 'reshard';
const SHARD_DIR = /^shard-\d+$/;

/** Where the folder of a new shard is built. */
export function incomingDir(dir: string, shard: number): string {
  return `${dir}/${RESHARD_DIR}/${shardDirName(shardId(shard))}`;
}

/** Where an old shard's folder waits for its removal. */
function outgoingDir(dir: string, name: string): string {
  return `${dir}/${RESHARD_DIR}/old-${name}`;
}

/**
 * Makes the shards that were built the store. Their folders hold nothing that is not durable. When
 * it throws, the data dir is the old store or the new one; opening it tells which.
 */
export function switchShards(fs: FileSystem, dir: string, root: Root, shardCount: number): void {
  // The names of the new folders must be there before a ROOT that counts on them.
  fs.syncDir(`${dir}/${RESHARD_DIR}`);
  fs.syncDir(dir);
  const next: Root = {
    storeUuid: root.storeUuid,
    shardCount,
    slotMapEpoch: root.slotMapEpoch + 1,
    slotRanges: equalSlotRanges(shardCount),
    incoming: true,
  };
  writeCheckedJson(fs, dir, ROOT_FILE, encodeRoot(next));
  finishReshard(fs, dir);
}

/** Completes a switch that was interrupted, or clears away what was built for none. */
export function finishReshard(fs: FileSystem, dir: string): void {
  const side = `${dir}/${RESHARD_DIR}`;
  const root = readRootOfAnyKind(fs, dir);
  if (root?.incoming !== undefined) {
    // The ROOT that was read may exist only in the page cache: nothing old may go before it stays.
    fs.syncDir(dir);
    moveFolders(fs, dir, root);
    fs.syncDir(side);
    fs.syncDir(dir);
    const { incoming: _, ...settled } = root;
    writeCheckedJson(fs, dir, ROOT_FILE, encodeRoot(settled));
  }
  if (fs.stat(side) === undefined) return;
  // As above, for the last step of a switch and for a side folder that was never switched to.
  fs.syncDir(dir);
  removeTree(fs, side);
}

function moveFolders(fs: FileSystem, dir: string, root: Root): void {
  const isNew = new Set<string>();
  for (let shard = 0; shard < root.shardCount; shard++) isNew.add(shardDirName(shardId(shard)));
  for (const name of fs.list(dir)) {
    // One that has arrived has left the side folder.
    const stays = isNew.has(name) && fs.stat(`${dir}/${RESHARD_DIR}/${name}`) === undefined;
    if (SHARD_DIR.test(name) && !stays) fs.rename(`${dir}/${name}`, outgoingDir(dir, name));
  }
  for (const name of isNew) {
    const built = `${dir}/${RESHARD_DIR}/${name}`;
    if (fs.stat(built) !== undefined) fs.rename(built, `${dir}/${name}`);
  }
}

/** Removes a folder with all that is in it. */
function removeTree(fs: FileSystem, path: string): void {
  for (const name of fs.list(path)) {
    const inner = `${path}/${name}`;
    if (fs.stat(inner)?.kind === 'directory') removeTree(fs, inner);
    else fs.remove(inner);
  }
  fs.removeDir(path);
}
