/**
 * Files that live in memory alone and vanish with their owner. Nothing is ever unsynced, nothing
 * fails but what a caller does wrong: where that matters, take the simulated disk.
 */
import { StormError } from '../../src/base/errors.js';
import type {
  DiskSpace,
  FileHandle,
  FileStat,
  FileSystem,
  OpenMode,
} from '../../src/storage/file-system.js';

const SPACE: DiskSpace = { freeBytes: 2 ** 40, totalBytes: 2 ** 40 };

class Content {
  bytes = new Uint8Array(0);
  sizeBytes = 0;

  resize(sizeBytes: number): void {
    if (sizeBytes > this.bytes.length) {
      const larger = new Uint8Array(Math.max(sizeBytes, this.bytes.length * 2));
      larger.set(this.bytes.subarray(0, this.sizeBytes));
      this.bytes = larger;
    } else if (sizeBytes < this.sizeBytes) {
      this.bytes.fill(0, sizeBytes, this.sizeBytes);
    }
    this.sizeBytes = sizeBytes;
  }
}

/** Paths are taken as they are, `/` between names. */
export class MemoryFileSystem implements FileSystem {
  readonly #files = new Map<string, Content>();
  readonly #dirs = new Set<string>();

  open(path: string, mode: OpenMode): FileHandle {
    const found = this.#files.get(path);
    if (mode === 'create') {
      if (found !== undefined) throw new StormError('INTERNAL', `There is a file ${path} already`);
      const made = new Content();
      this.#files.set(path, made);
      return handleOf(path, made);
    }
    if (found === undefined) throw missing(path);
    return handleOf(path, found);
  }

  list(dir: string): string[] {
    const start = `${dir}/`;
    const names = new Set<string>();
    for (const path of [...this.#files.keys(), ...this.#dirs]) {
      if (path.startsWith(start)) names.add(path.slice(start.length).split('/', 1)[0] ?? '');
    }
    return [...names].sort((a, b) => (a < b ? -1 : 1));
  }

  stat(path: string): FileStat | undefined {
    const file = this.#files.get(path);
    if (file !== undefined) return { kind: 'file', sizeBytes: file.sizeBytes };
    return this.#dirs.has(path) ? { kind: 'directory', sizeBytes: 0 } : undefined;
  }

  makeDir(path: string): void {
    for (let at = path; at !== '' && at !== '.'; at = at.slice(0, Math.max(0, at.lastIndexOf('/'))))
      this.#dirs.add(at);
  }

  rename(from: string, to: string): void {
    this.link(from, to);
    this.#files.delete(from);
  }

  link(existing: string, to: string): void {
    const file = this.#files.get(existing);
    if (file === undefined) throw missing(existing);
    this.#files.set(to, file);
  }

  remove(path: string): void {
    if (!this.#files.delete(path) && !this.#dirs.delete(path)) throw missing(path);
  }

  removeDir(path: string): void {
    if (!this.#dirs.delete(path)) throw missing(path);
  }

  syncDir(): void {}

  space(): DiskSpace {
    return SPACE;
  }
}

function handleOf(path: string, content: Content): FileHandle {
  return {
    path,
    readAt(target, offset, length, position) {
      const end = Math.min(position + length, content.sizeBytes);
      if (end <= position) return 0;
      target.set(content.bytes.subarray(position, end), offset);
      return end - position;
    },
    writeAt(source, offset, length, position) {
      if (position + length > content.sizeBytes) content.resize(position + length);
      content.bytes.set(source.subarray(offset, offset + length), position);
    },
    sizeBytes: () => content.sizeBytes,
    truncate: (sizeBytes) => content.resize(sizeBytes),
    syncData() {},
    map: () => undefined,
    close() {},
  };
}

function missing(path: string): StormError {
  return new StormError('INTERNAL', `There is no file ${path}`);
}
