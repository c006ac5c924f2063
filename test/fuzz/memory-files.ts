/** A folder of files in memory, to be read only: the least that readers of files need. */
import type { FileHandle, FileStat, FileSystem } from '../../src/storage/file-system.js';

export class MemoryFiles implements FileSystem {
  readonly #dir: string;
  readonly #files: Map<string, Uint8Array>;

  /** Names → contents, all in `dir`. */
  constructor(dir: string, files: Readonly<Record<string, Uint8Array>>) {
    this.#dir = dir;
    this.#files = new Map(Object.entries(files).map(([name, bytes]) => [`${dir}/${name}`, bytes]));
  }

  open(path: string): FileHandle {
    const bytes = this.#files.get(path);
    if (bytes === undefined) throw new Error(`There is no ${path}`);
    return new MemoryHandle(path, bytes);
  }

  list(): string[] {
    return [...this.#files.keys()].map((path) => path.slice(this.#dir.length + 1));
  }

  stat(path: string): FileStat | undefined {
    if (path === this.#dir) return { kind: 'directory', sizeBytes: 0 };
    const bytes = this.#files.get(path);
    return bytes === undefined ? undefined : { kind: 'file', sizeBytes: bytes.length };
  }

  makeDir = refuse;
  rename = refuse;
  link = refuse;
  remove = refuse;
  removeDir = refuse;
  syncDir = refuse;
  space = refuse;
}

class MemoryHandle implements FileHandle {
  readonly path: string;
  readonly #bytes: Uint8Array;

  constructor(path: string, bytes: Uint8Array) {
    this.path = path;
    this.#bytes = bytes;
  }

  readAt(target: Uint8Array, offset: number, length: number, position: number): number {
    const from = Math.min(position, this.#bytes.length);
    const piece = this.#bytes.subarray(from, from + length);
    target.set(piece, offset);
    return piece.length;
  }

  sizeBytes(): number {
    return this.#bytes.length;
  }

  map(): undefined {
    return undefined;
  }

  close(): void {}
  writeAt = refuse;
  truncate = refuse;
  syncData = refuse;
}

function refuse(): never {
  throw new Error('These files are only read');
}
