/**
 * Makes what a file shows durable where fdatasync cannot be believed any more: after a failed one
 * the system may show pages that the disk does not have, count them as clean, and sync them
 * "successfully" for ever. A copy in new pages is what the disk has after its own sync.
 */
import { temporaryName } from './file-names.js';
import type { FileHandle, FileSystem } from './file-system.js';

const COPY_BYTES = 1024 * 1024;

/**
 * Replaces `dir/name` by a fresh copy of what it shows. On return copy and name are durable; a
 * crash on the way leaves the file as it is on disk, or the copy.
 */
export function replaceByFreshCopy(fs: FileSystem, dir: string, name: string): void {
  const path = `${dir}/${name}`;
  const temporary = temporaryName(path);
  if (fs.stat(temporary) !== undefined) fs.remove(temporary);
  const source = fs.open(path, 'read');
  try {
    const target = fs.open(temporary, 'create');
    try {
      copy(source, target);
      target.syncData();
    } finally {
      target.close();
    }
  } finally {
    source.close();
  }
  fs.rename(temporary, path);
  fs.syncDir(dir);
}

function copy(source: FileHandle, target: FileHandle): void {
  const size = source.sizeBytes();
  const bytes = new Uint8Array(Math.min(COPY_BYTES, size));
  for (let at = 0; at < size; ) {
    const got = source.readAt(bytes, 0, Math.min(bytes.length, size - at), at);
    if (got === 0) throw new Error(`${source.path} ends at ${at}, not at ${size}`);
    target.writeAt(bytes, 0, got, at);
    at += got;
  }
}
