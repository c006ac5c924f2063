/**
 * The file system port over the operating system: the only file of the engine that imports node:fs.
 * All calls are synchronous, because their callers are threads that own what they touch. Usable
 * from any thread; a handle belongs to the thread that opened it.
 */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { StormError } from '../base/errors.js';
import type { DiskSpace, FileHandle, FileStat, FileSystem, OpenMode } from './file-system.js';
import { mapFile } from './mapped-file.js';

const FILE_MODE = 0o600;
const DIR_MODE = 0o700;
const CLOSED = -1;

const OPEN_FLAGS: Record<OpenMode, number> = {
  read: constants.O_RDONLY,
  update: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

export const nodeFileSystem: FileSystem = {
  open: (path, mode) => new NodeFileHandle(path, openSync(path, OPEN_FLAGS[mode], FILE_MODE)),
  list: (dir) => readdirSync(dir).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
  stat: statOf,
  makeDir(path) {
    mkdirSync(path, { recursive: true, mode: DIR_MODE });
  },
  rename: renameSync,
  link: linkSync,
  remove: unlinkSync,
  removeDir: rmdirSync,
  syncDir,
  space: spaceOf,
};

class NodeFileHandle implements FileHandle {
  readonly path: string;
  #fd: number;

  constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  readAt(target: Uint8Array, offset: number, length: number, position: number): number {
    const fd = this.#openFd();
    let done = 0;
    while (done < length) {
      const count = readSync(fd, target, offset + done, length - done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  writeAt(source: Uint8Array, offset: number, length: number, position: number): void {
    const fd = this.#openFd();
    let done = 0;
    while (done < length) {
      // A short count is followed by a call that reports its cause (ENOSPC, EFBIG, EIO).
      const count = writeSync(fd, source, offset + done, length - done, position + done);
      if (count === 0) throw new StormError('INTERNAL', `Writing makes no progress: ${this.path}`);
      done += count;
    }
  }

  sizeBytes(): number {
    return fstatSync(this.#openFd()).size;
  }

  truncate(sizeBytes: number): void {
    ftruncateSync(this.#openFd(), sizeBytes);
  }

  syncData(): void {
    fdatasyncSync(this.#openFd());
  }

  map(): Uint8Array | undefined {
    const fd = this.#openFd();
    return mapFile(fd, fstatSync(fd).size);
  }

  close(): void {
    const fd = this.#fd;
    if (fd === CLOSED) return;
    // First of all: even when close fails, the number may already belong to another file.
    this.#fd = CLOSED;
    closeSync(fd);
  }

  #openFd(): number {
    if (this.#fd === CLOSED) throw new StormError('INTERNAL', `The file is closed: ${this.path}`);
    return this.#fd;
  }
}

function statOf(path: string): FileStat | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other';
  return { kind, sizeBytes: stat.size };
}

function syncDir(dir: string): void {
  const fd = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function spaceOf(dir: string): DiskSpace {
  const found = statfsSync(dir);
  return { freeBytes: found.bavail * found.bsize, totalBytes: found.blocks * found.bsize };
}
