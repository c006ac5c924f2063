/**
 * Planted bugs: a copy of the compiled program with a few exact changes of text, and a test of the
 * copy run in a process of its own. A test that passes although the bug is in is worth nothing.
 *
 * Copies lie beside the build, because the packages are found from there; they are ignored by git
 * and removed when their test has run.
 */
import { spawn } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Edit {
  /** Path of a compiled file from the root of the build: `src/storage/wal-writer.js`. */
  file: string;
  /** Must occur exactly once; a run of white space matches any other one. */
  find: string;
  replace: string;
}

export interface TestRun {
  /** Path of a compiled test file from the root of the build. */
  test: string;
  env?: Record<string, string>;
}

export interface Verdict {
  passed: boolean;
  output: string;
  ms: number;
}

const BUILD = fileURLToPath(new URL('../../', import.meta.url));
const PREFIX = 'dist-mutant-';
const RUN_MS_MAX = 180_000;
let copies = 0;

/** Calls `body` with the root of a copy of the build that has these changes, or none. */
export async function withEditedBuild<T>(
  edits: readonly Edit[],
  body: (root: string) => Promise<T>,
): Promise<T> {
  const copy = join(dirname(BUILD), `${PREFIX}${process.pid}-${++copies}`);
  try {
    cpSync(BUILD, copy, { recursive: true, filter: (path) => !/\.(map|d\.ts)$/.test(path) });
    for (const { file, find, replace } of edits) {
      const path = join(copy, file);
      writeFileSync(path, editedText(readFileSync(path, 'utf8'), file, find, replace));
    }
    return await body(copy);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** Throws where an edit does not fit this build. Each is tried on the file as it is. */
export function checkFit(edits: readonly Edit[]): void {
  for (const { file, find, replace } of edits) {
    editedText(readFileSync(join(BUILD, file), 'utf8'), file, find, replace);
  }
}

/** Runs a test on such a copy. */
export function runWithEdits(edits: readonly Edit[], run: TestRun): Promise<Verdict> {
  return withEditedBuild(edits, (root) => runTest(root, run));
}

/** Replaces the only occurrence; throws when there is none or more than one. */
export function editedText(text: string, file: string, find: string, replace: string): string {
  const words = find.trim().split(/\s+/);
  const pattern = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('\\s+');
  const found = [...text.matchAll(new RegExp(pattern, 'g'))];
  const [only] = found;
  if (found.length !== 1 || only === undefined) {
    throw new Error(`A planted bug must fit ${file} once, it fits ${found.length} times: ${find}`);
  }
  return text.slice(0, only.index) + replace + text.slice(only.index + only[0].length);
}

/** Removes copies that a killed run left behind. */
export function removeStaleCopies(): void {
  for (const name of readdirSync(dirname(BUILD))) {
    const pid = Number(new RegExp(`^${PREFIX}(\\d+)-\\d+$`).exec(name)?.[1] ?? process.pid);
    if (pid === process.pid || isAlive(pid)) continue;
    rmSync(join(dirname(BUILD), name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function runTest(root: string, { test, env }: TestRun): Promise<Verdict> {
  const startMs = performance.now();
  const child = spawn(process.execPath, [join(root, test)], {
    cwd: dirname(BUILD),
    env: { ...process.env, FORCE_COLOR: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    output += String(chunk);
  });
  const watchdog = setTimeout(() => child.kill('SIGKILL'), RUN_MS_MAX);
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearTimeout(watchdog);
      resolve({ passed: code === 0, output, ms: performance.now() - startMs });
    });
  });
}
