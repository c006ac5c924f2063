/**
 * Where the bytes of a table come from: memory (a map of the file, or an array) or reads. A caller
 * brings a window of its own, so several cursors over one source never disturb each other.
 */
import { CorruptionError, StormError } from '../base/errors.js';
import type { FileHandle } from './file-system.js';

/** What a load has brought; belongs to one cursor. */
export class BlockWindow {
  /** Holds the bytes asked for from `start` on, until the next load into this window. */
  bytes: Uint8Array = EMPTY;
  start = 0;
  /** For sources that read: what `buffer` holds of the file. */
  buffer: Uint8Array = EMPTY;
  bufferOffset = 0;
  bufferLength = 0;
  /** A read takes at least this many bytes, where the file has them; for going through in order. */
  readonly readaheadBytes: number;

  constructor(readaheadBytes = 0) {
    this.readaheadBytes = readaheadBytes;
  }

  /** Lets go of the memory. */
  release(): void {
    this.bytes = EMPTY;
    this.buffer = EMPTY;
    this.bufferLength = 0;
  }
}

export interface BlockSource {
  readonly sizeBytes: number;
  /** True where loads show the same memory again and again, so that verifying it once is enough. */
  readonly isResident: boolean;
  /** Shows [offset, offset + length) of the file in `window`. Throws CorruptionError if cut off. */
  load(offset: number, length: number, window: BlockWindow): void;
  /** Ends the use; loads throw from now on. Windows stay valid. */
  close(): void;
}

/** Bytes in memory: a mapped file, or what a test made. */
export class MemorySource implements BlockSource {
  readonly sizeBytes: number;
  readonly isResident = true;
  readonly #file: string;
  #bytes: Uint8Array | undefined;

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#file = file;
    this.sizeBytes = bytes.length;
  }

  load(offset: number, length: number, window: BlockWindow): void {
    if (this.#bytes === undefined) {
      throw new StormError('FAILED_PRECONDITION', `The table is closed: ${this.#file}`);
    }
    checkRange(offset, length, this.sizeBytes, this.#file);
    window.bytes = this.#bytes;
    window.start = offset;
  }

  close(): void {
    this.#bytes = undefined;
  }
}

/** Reads with `readAt`; owns the handle. */
export class ReadSource implements BlockSource {
  readonly sizeBytes: number;
  readonly isResident = false;
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
    try {
      this.sizeBytes = handle.sizeBytes();
    } catch (error) {
      handle.close();
      throw error;
    }
  }

  load(offset: number, length: number, window: BlockWindow): void {
    const file = this.#handle.path;
    checkRange(offset, length, this.sizeBytes, file);
    const at = offset - window.bufferOffset;
    // Without readahead nothing is taken from the buffer: each load is checked against the disk.
    const isBuffered = window.readaheadBytes > 0 && at >= 0 && at + length <= window.bufferLength;
    if (!isBuffered) this.#fill(offset, length, window);
    window.bytes = window.buffer;
    window.start = offset - window.bufferOffset;
  }

  close(): void {
    this.#handle.close();
  }

  #fill(offset: number, length: number, window: BlockWindow): void {
    const wanted = Math.min(Math.max(length, window.readaheadBytes), this.sizeBytes - offset);
    if (wanted > window.buffer.length) window.buffer = new Uint8Array(roundUp(wanted));
    // A read that throws must not leave a buffer that claims to hold what it doesn't.
    window.bufferLength = 0;
    const got = this.#handle.readAt(window.buffer, 0, wanted, offset);
    window.bufferOffset = offset;
    window.bufferLength = got;
    if (got >= length) return;
    throw new CorruptionError('The table is shorter than when it was opened', {
      file: this.#handle.path,
      offset: offset + got,
    });
  }
}

const EMPTY = new Uint8Array(0);
const BUFFER_STEP_BYTES = 4096;

/** Blocks differ a little in size: rounding saves allocating anew for each slightly larger one. */
function roundUp(length: number): number {
  return Math.ceil(length / BUFFER_STEP_BYTES) * BUFFER_STEP_BYTES;
}

function checkRange(offset: number, length: number, sizeBytes: number, file: string): void {
  if (offset >= 0 && length >= 0 && offset + length <= sizeBytes) return;
  throw new CorruptionError('The table ends before a section that it should hold', {
    file,
    offset,
  });
}
