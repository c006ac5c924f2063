/** Files that exist as real blocks before anything is written to them. */
import type { FileSystem } from './file-system.js';

const WRITE_BYTES = 1024 * 1024;

/**
 * Creates a file of `sizeBytes` zeros and syncs it, not its directory entry. Real zeros rather than
 * a hole: later writes change neither the size nor the extents of the file, and need no more space.
 * After an error no file is left.
 */
export function createZeroFile(fs: FileSystem, path: string, sizeBytes: number): void {
  const zeros = new Uint8Array(Math.min(WRITE_BYTES, sizeBytes));
  const handle = fs.open(path, 'create');
  try {
    for (let at = 0; at < sizeBytes; at += zeros.length) {
      handle.writeAt(zeros, 0, Math.min(zeros.length, sizeBytes - at), at);
    }
    handle.syncData();
  } catch (error) {
    handle.close();
    removeQuietly(fs, path);
    throw error;
  }
  handle.close();
}

function removeQuietly(fs: FileSystem, path: string): void {
  try {
    fs.remove(path);
  } catch {
    // The error that led here matters more; recovery removes files of a wrong size.
  }
}
