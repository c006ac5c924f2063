/** Which file imports which, read from the text. */
import { posix } from 'node:path';
import type { Repository, RepositoryFile } from './repository.js';
import { lineOf } from './source-text.js';

export interface Import {
  readonly from: string;
  readonly line: number;
  /** As written: `./a.js`, `node:fs`, `piscina`. */
  readonly specifier: string;
  /** A worker's entry or a process's: named by URL, never loaded into the same thread. */
  readonly isByUrl: boolean;
  /** The file of the repository it names, if it names one. */
  readonly target: string | undefined;
}

/** Each ends right before the quote of the specifier. */
const STATEMENTS = [
  /\bfrom\s*(?=['"])/g,
  /\bimport\s*(?=['"])/g,
  /\bimport\(\s*(?=['"])/g,
  /\bcreateRequire\([^()]*\)\(\s*(?=['"])/g,
];
const BY_URL = /\bnew URL\(\s*(?=['"])/g;

export function importsOf(repository: Repository): readonly Import[] {
  return repository.sources.flatMap((file) => [
    ...STATEMENTS.flatMap((pattern) => matches(repository, file, pattern, false)),
    ...matches(repository, file, BY_URL, true).filter(({ specifier }) => specifier.endsWith('.js')),
  ]);
}

function matches(
  repository: Repository,
  file: RepositoryFile,
  pattern: RegExp,
  isByUrl: boolean,
): Import[] {
  return [...file.code.matchAll(pattern)].map((match) => {
    const start = match.index + match[0].length;
    const end = file.text.indexOf(file.text.charAt(start), start + 1);
    const specifier = file.text.slice(start + 1, end);
    const target = targetOf(repository, file.path, specifier);
    return { from: file.path, line: lineOf(file.text, start), specifier, isByUrl, target };
  });
}

/** `./a.js` is written for the compiled file; the source is `./a.ts`. */
function targetOf(repository: Repository, from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  const path = posix.join(posix.dirname(from), specifier);
  const source = path.replace(/\.js$/, '.ts');
  return repository.file(source) === undefined ? path : source;
}
