/** The files that the checks look at, read once; tests make small ones in memory. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { blanked } from './source-text.js';

/** What git does not keep either (see .gitignore), and git's own. */
const SKIPPED =
  /^(\.git|node_modules|data|coverage|dist|dist-.*|\.bench-.*|.*\.(log|cpuprofile|tsbuildinfo))$/;
const TEXT_FILE = /\.(ts|mjs|js|json|md|proto|html|css|yml|sh)$|^\.|\/run$|^LICENSE$/;

export interface Violation {
  readonly path: string;
  readonly line: number;
  readonly problem: string;
}

export class RepositoryFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Empty for a file that is not text. */
  readonly text: string;
  #code: string | undefined;

  constructor(path: string, sizeBytes: number, text: string) {
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.text = text;
  }

  /** The text without comments and contents of strings, index for index. */
  get code(): string {
    this.#code ??= blanked(this.text);
    return this.#code;
  }

  /** TypeScript or JavaScript of ours. */
  get isSource(): boolean {
    return /\.(ts|mjs)$/.test(this.path);
  }

  isIn(folder: string): boolean {
    return this.path.startsWith(`${folder}/`);
  }
}

export class Repository {
  readonly files: readonly RepositoryFile[];
  readonly #byPath: ReadonlyMap<string, RepositoryFile>;

  constructor(files: readonly RepositoryFile[]) {
    this.files = files;
    this.#byPath = new Map(files.map((file) => [file.path, file]));
  }

  /** Reads everything under `root` that belongs to the project. */
  static read(root: string): Repository {
    return new Repository(list(root, '').map((path) => readOne(root, path)));
  }

  /** A repository of the given texts, for tests. */
  static of(texts: Readonly<Record<string, string>>): Repository {
    const files = Object.entries(texts);
    return new Repository(files.map(([path, text]) => new RepositoryFile(path, text.length, text)));
  }

  get sources(): readonly RepositoryFile[] {
    return this.files.filter((file) => file.isSource);
  }

  file(path: string): RepositoryFile | undefined {
    return this.#byPath.get(path);
  }

  /** True for a file and for a folder that holds one. */
  has(path: string): boolean {
    return this.#byPath.has(path) || this.files.some((file) => file.isIn(path));
  }
}

function list(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => !SKIPPED.test(entry.name))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) return list(root, path);
      return entry.isFile() ? [path] : [];
    });
}

function readOne(root: string, path: string): RepositoryFile {
  const full = join(root, path);
  const text = TEXT_FILE.test(path) ? readFileSync(full, 'utf8') : '';
  return new RepositoryFile(path, statSync(full).size, text);
}
