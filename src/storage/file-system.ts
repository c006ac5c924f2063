/**
 * The narrow seam to the disk. Everything is synchronous: its callers are shard threads and pool
 * jobs that own what they touch. One implementation talks to the operating system
 * (node-file-system.ts); the test harness has one that loses unsynced sectors and one that fails.
 *
 * Errors are those of the system (with `code` ENOSPC, EIO …), thrown; nothing is retried here.
 */
export interface FileSystem {
  /**
   * `read`: must exist. `update`: must exist, read and write. `create`: must not exist, read and
   * write; its directory entry is durable only after `syncDir`.
   */
  open(path: string, mode: OpenMode): FileHandle;
  /** Names (not paths) of the entries of a directory, sorted by code unit. */
  list(dir: string): string[];
  stat(path: string): FileStat | undefined;
  /** Makes the directory (mode 0700) and its parents; no error if it exists. */
  makeDir(path: string): void;
  rename(from: string, to: string): void;
  link(existing: string, to: string): void;
  remove(path: string): void;
  /** Removes a directory, which must be empty. */
  removeDir(path: string): void;
  /** Makes creations, renames and removals in the directory durable. */
  syncDir(dir: string): void;
  space(dir: string): DiskSpace;
}

export type OpenMode = 'read' | 'update' | 'create';

export interface FileStat {
  kind: 'file' | 'directory' | 'other';
  sizeBytes: number;
}

export interface DiskSpace {
  freeBytes: number;
  totalBytes: number;
}

/** An open file. Positions are absolute; there is no cursor. */
export interface FileHandle {
  readonly path: string;
  /** Reads until `length` bytes or the end of file; returns how many were read. */
  readAt(target: Uint8Array, offset: number, length: number, position: number): number;
  /**
   * Writes all of `length` bytes with as few system calls as possible (normally one), or throws.
   */
  writeAt(source: Uint8Array, offset: number, length: number, position: number): void;
  sizeBytes(): number;
  truncate(sizeBytes: number): void;
  /** fdatasync. After an error the handle must not be synced again (see docs/formats/wal.md). */
  syncData(): void;
  /**
   * A read-only view of the whole file in memory, or undefined where mapping is not possible
   * (no addon, an empty file, 2 GiB and more). The file must never be truncated while a view lives;
   * the memory is released when the garbage collector drops the last view.
   */
  map(): Uint8Array | undefined;
  close(): void;
}
