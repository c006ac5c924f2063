/**
 * Bulk load: lines of JSON come as a stream and are written in batches, one after the other, so a
 * load holds one batch and one line, and waits while the store does. Not atomic. A wrong line is
 * told and passed over; the others are written.
 */
import { checkKey, checkValue, type EntryLimits } from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
import { RunBuilder } from '../base/run-builder.js';
import { VersionConflict } from '../base/version-conflict.js';
import { parseLine } from '../rpc/json-lines.js';
import type { BatchSetResult, KvOperations } from '../rpc/kv-operations.js';
import { errorBody } from './http-status.js';

export interface LoadLimits extends EntryLimits {
  batchBytesMax: number;
  batchEntriesMax: number;
}

const BATCH_ENTRIES_AIM = 500;
const BATCH_BYTES_AIM = 256 * 1024;
/** More errors are only counted. */
const ERROR_LINES_MAX = 1000;
const NEWLINE = 0x0a;

/** Resolves to the answer: a line for each failed line, and one with the counts. */
export async function loadLines(
  operations: Pick<KvOperations, 'batchSet'>,
  body: AsyncIterable<Uint8Array>,
  limits: LoadLimits,
  asUtf8: boolean,
): Promise<string> {
  const load = new Load(operations, limits, asUtf8);
  for await (const line of linesOf(body, lineBytesMax(limits))) {
    load.add(line);
    if (load.isFull) await load.write();
  }
  await load.write();
  return load.answer();
}

class Load {
  readonly #operations: Pick<KvOperations, 'batchSet'>;
  readonly #limits: LoadLimits;
  readonly #asUtf8: boolean;
  readonly #run = new RunBuilder();
  /** Of the run's entries. */
  #lineNumbers: number[] = [];
  #lineNumber = 0;
  #written = 0;
  #failed = 0;
  readonly #errorLines: string[] = [];

  constructor(operations: Pick<KvOperations, 'batchSet'>, limits: LoadLimits, asUtf8: boolean) {
    this.#operations = operations;
    this.#limits = limits;
    this.#asUtf8 = asUtf8;
  }

  get isFull(): boolean {
    const { batchBytesMax, batchEntriesMax, keyBytesMax, valueBytesMax } = this.#limits;
    const entriesMax = Math.min(BATCH_ENTRIES_AIM, batchEntriesMax);
    const bytesMax = Math.min(BATCH_BYTES_AIM, batchBytesMax - keyBytesMax - valueBytesMax - 64);
    return this.#run.count >= entriesMax || this.#run.length >= bytesMax;
  }

  add(line: Uint8Array | StormError): void {
    this.#lineNumber++;
    try {
      if (line instanceof StormError) throw line;
      const entry = parseLine(line, this.#asUtf8);
      if (entry === undefined) return;
      const { key, value, ttlMs } = entry;
      // Judged here, because within a batch it would keep others from being written.
      checkKey(key, 0, key.length, this.#limits);
      checkValue(value?.length ?? 0, this.#limits);
      if (value === undefined) this.#run.delete(key);
      else this.#run.put(key, value, ttlMs);
      this.#lineNumbers.push(this.#lineNumber);
    } catch (error) {
      if (!(error instanceof StormError)) throw error;
      this.#fail(this.#lineNumber, error);
    }
  }

  async write(): Promise<void> {
    if (this.#run.count === 0) return;
    const { error, result } = await this.#batchSet();
    this.#written += result.written;
    for (const failed of result.errors) {
      this.#fail(this.#lineNumbers[failed.index] ?? 0, failed.error);
    }
    if (error !== undefined) for (const line of this.#lineNumbers) this.#fail(line, error);
    this.#run.clear();
    this.#lineNumbers = [];
  }

  answer(): string {
    const counts = { written: this.#written, failed: this.#failed };
    return `${this.#errorLines.join('')}${JSON.stringify(counts)}\n`;
  }

  #batchSet(): Promise<{ error: StormError | undefined; result: BatchSetResult }> {
    return new Promise((resolve) => {
      this.#operations.batchSet({ run: this.#run.runView() }, Infinity, (error, result) =>
        resolve({ error, result }),
      );
    });
  }

  #fail(line: number, error: StormError): void {
    this.#failed++;
    if (this.#errorLines.length === ERROR_LINES_MAX) return;
    const { outcome, retryAfterMs } = error;
    const version = error instanceof VersionConflict ? { version: error.version } : {};
    const hint = retryAfterMs === undefined ? {} : { retryAfterMs };
    const body = { line, outcome, ...hint, ...version, ...errorBody(error.code, error.message) };
    this.#errorLines.push(`${JSON.stringify(body)}\n`);
  }
}

/** A character of JSON may take six bytes, as in \u0000. */
function lineBytesMax({ keyBytesMax, valueBytesMax }: EntryLimits): number {
  return 6 * (keyBytesMax + valueBytesMax) + 1024;
}

/** Lines without their ends; in place of one that is too long, an error. */
async function* linesOf(
  body: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<Uint8Array | StormError> {
  let parts: Uint8Array[] = [];
  let length = 0;
  const take = (): Uint8Array | StormError => {
    const line = length > bytesMax ? tooLong(bytesMax) : Buffer.concat(parts);
    parts = [];
    length = 0;
    return line;
  };
  const keep = (part: Uint8Array): void => {
    length += part.length;
    // What is too long is not kept, but its end is looked for.
    if (length <= bytesMax) parts.push(part);
    else parts = [];
  };
  for await (const chunk of body) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      keep(chunk.subarray(from, end));
      yield take();
      from = end + 1;
    }
    if (from < chunk.length) keep(chunk.subarray(from));
  }
  if (length > 0) yield take();
}

function tooLong(bytesMax: number): StormError {
  return new StormError('INVALID_ARGUMENT', `The line has more than ${bytesMax} bytes`);
}
