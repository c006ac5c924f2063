/** The user's own files, as the command line reads and writes them; the engine has its own port. */
import {
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf, StormError, systemCodeOf } from '../base/errors.js';

/** Throws INVALID_ARGUMENT when the file cannot be read. */
export function readLocalFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new StormError('INVALID_ARGUMENT', `Cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** A file, piece by piece. */
export async function* readInChunks(path: string): AsyncGenerator<Buffer, void, void> {
  try {
    for await (const chunk of createReadStream(path)) yield chunk as Buffer;
  } catch (cause) {
    throw new StormError('INVALID_ARGUMENT', `Cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** The content of a file, undefined when there is none. */
export function readLocalFileIfAny(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return undefined;
    throw new StormError('INVALID_ARGUMENT', `Cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** Throws INVALID_ARGUMENT when the file cannot be written. */
export function writeLocalFile(path: string, content: string): void {
  try {
    writeFileSync(path, content);
  } catch (cause) {
    throw new StormError('INVALID_ARGUMENT', `Cannot write ${path}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** A new, empty folder for temporary things. */
export function makeTempDir(prefix: string): string {
  return mkdtempSync(join(tmpdir(), prefix));
}

/** Makes the folder if need be; false when there is something in it. */
export function isEmptyDir(path: string): boolean {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return readdirSync(path).length === 0;
}

/** Removes a folder with all that is in it. */
export function removeDir(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
