/** A file system that tells when the sync of one folder fails; all else passes through. */
import type { DiskSpace, FileHandle, FileStat, FileSystem, OpenMode } from './file-system.js';

export class WatchedFolder implements FileSystem {
  readonly #fs: FileSystem;
  readonly #dir: string;
  readonly #onFailedSync: () => void;

  /** `onFailedSync` is called before the error goes on. */
  constructor(fs: FileSystem, dir: string, onFailedSync: () => void) {
    this.#fs = fs;
    this.#dir = dir;
    this.#onFailedSync = onFailedSync;
  }

  open(path: string, mode: OpenMode): FileHandle {
    return this.#fs.open(path, mode);
  }

  list(dir: string): string[] {
    return this.#fs.list(dir);
  }

  stat(path: string): FileStat | undefined {
    return this.#fs.stat(path);
  }

  makeDir(path: string): void {
    this.#fs.makeDir(path);
  }

  rename(from: string, to: string): void {
    this.#fs.rename(from, to);
  }

  link(existing: string, to: string): void {
    this.#fs.link(existing, to);
  }

  remove(path: string): void {
    this.#fs.remove(path);
  }

  removeDir(path: string): void {
    this.#fs.removeDir(path);
  }

  syncDir(dir: string): void {
    try {
      this.#fs.syncDir(dir);
    } catch (error) {
      if (dir === this.#dir) this.#onFailedSync();
      throw error;
    }
  }

  space(dir: string): DiskSpace {
    return this.#fs.space(dir);
  }
}
