/**
 * A shard's manifest: an append-only log of edits, each synced before its effect is used, and the
 * file CURRENT that names the manifest in force (docs/formats/manifest.md). Owned by one thread.
 *
 * An append or sync that failed leaves it unknown whether the edit is on disk, so nothing is ever
 * appended to that file again: the next commit writes the whole state into a new manifest and
 * switches CURRENT. Until that succeeds the caller must keep every file that either state names.
 */
import { CorruptionError, messageOf, StormError } from '../base/errors.js';
import { fileNumber } from '../base/ids.js';
import { type Random, randomUint48 } from '../base/random.js';
import { readCheckedJson, writeCheckedJson } from './checked-json.js';
import { CURRENT_FILE, manifestFileName } from './file-names.js';
import type { FileHandle, FileSystem } from './file-system.js';
import {
  FRAME_ALIGN_BYTES,
  FRAME_EDIT,
  FRAME_HEADER_BYTES,
  FRAME_VERSION,
  type FrameHeader,
  frameBytes,
  readFrame,
  sealFrame,
} from './log-frame.js';
import { decodeEdit, encodeEdit, MANIFEST_VERSION, type ManifestEdit } from './manifest-format.js';
import { applyEdit, EMPTY_STATE, type ManifestState, snapshotEdit } from './manifest-state.js';

export interface ManifestIdentity {
  shard: number;
  storeUuid: string;
}

/** Of CURRENT; a file without a version has this one. */
const CURRENT_VERSION = 0;
/** A manifest that has grown beyond this is replaced by a snapshot of its state. */
const ROLL_BYTES = 4 << 20;

/**
 * The state that CURRENT and its manifest describe, or undefined where the shard has neither.
 * Damage, a foreign store and an unknown version are refused.
 */
export function readManifest(
  fs: FileSystem,
  dir: string,
  identity: ManifestIdentity,
): { state: ManifestState; number: number; edits: number } | undefined {
  const current = readCheckedJson(fs, dir, CURRENT_FILE);
  if (current === undefined) return undefined;
  const { manifest, nonce, storeUuid, version = CURRENT_VERSION } = current;
  const currentPath = `${dir}/${CURRENT_FILE}`;
  if (version !== CURRENT_VERSION) {
    throw new StormError(
      'FAILED_PRECONDITION',
      `${currentPath} has format version ${String(version)}, this program reads ` +
        `${CURRENT_VERSION}: use the program version that wrote it, or a newer one`,
    );
  }
  if (!isNumber(manifest) || !isNumber(nonce)) {
    throw new CorruptionError('CURRENT names no manifest', { file: currentPath, offset: 0 });
  }
  if (storeUuid !== identity.storeUuid) {
    throw new CorruptionError('The shard belongs to another store', {
      file: currentPath,
      offset: 0,
    });
  }
  const path = `${dir}/${manifestFileName(fileNumber(manifest))}`;
  if (fs.stat(path) === undefined) {
    throw new CorruptionError('The manifest that CURRENT names is missing', {
      file: path,
      offset: 0,
    });
  }
  return { ...replay(readWhole(fs, path), path, nonce, identity), number: manifest };
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function replay(
  bytes: Uint8Array,
  path: string,
  nonce: number,
  identity: ManifestIdentity,
): { state: ManifestState; edits: number } {
  let state = EMPTY_STATE;
  let at = 0;
  let chain = 0;
  let edits = 0;
  for (;;) {
    const header = readFrame(bytes, at);
    if (header === undefined || header.nonce !== nonce || header.chain !== chain) break;
    refuseUnknown(header, path);
    const start = at + FRAME_HEADER_BYTES;
    const edit = decodeEdit(bytes.subarray(start, start + header.payloadLength), path, at);
    checkSnapshot(edit, edits === 0, path, at, identity);
    state = replayEdit(state, edit, path, at);
    at += frameBytes(header.payloadLength);
    chain = header.crc;
    edits++;
  }
  if (edits === 0) {
    throw new CorruptionError('The manifest has no readable first edit', { file: path, offset: 0 });
  }
  // Every edit is synced before the next is written: a later one proves that this one was whole.
  for (let later = at; later < bytes.length; later += FRAME_ALIGN_BYTES) {
    if (readFrame(bytes, later)?.nonce === nonce) {
      throw new CorruptionError('An edit of the manifest is damaged', { file: path, offset: at });
    }
  }
  return { state, edits };
}

/** A frame that is whole and ours, but not of a kind that this program knows. */
function refuseUnknown({ version, type, offset }: FrameHeader, path: string): void {
  if (version === FRAME_VERSION && type === FRAME_EDIT) return;
  throw new StormError(
    'FAILED_PRECONDITION',
    `${path} has a frame of version ${version} and type ${type} at ${offset}, this program reads ` +
      `version ${FRAME_VERSION} and type ${FRAME_EDIT}: use the program version that wrote it`,
  );
}

function replayEdit(
  state: ManifestState,
  edit: ManifestEdit,
  file: string,
  offset: number,
): ManifestState {
  try {
    return applyEdit(state, edit);
  } catch (error) {
    throw new CorruptionError(messageOf(error), { file, offset }, error);
  }
}

function checkSnapshot(
  edit: ManifestEdit,
  first: boolean,
  file: string,
  offset: number,
  identity: ManifestIdentity,
): void {
  if (first !== (edit.snapshot !== undefined)) {
    throw new CorruptionError('A snapshot must be the first edit and only that', { file, offset });
  }
  if (edit.snapshot === undefined) return;
  const { shard, storeUuid } = edit.snapshot;
  if (shard !== identity.shard || storeUuid !== identity.storeUuid) {
    throw new CorruptionError('The manifest belongs to another store or shard', { file, offset });
  }
}

function readWhole(fs: FileSystem, path: string): Uint8Array {
  const handle = fs.open(path, 'read');
  try {
    const bytes = new Uint8Array(handle.sizeBytes());
    const got = handle.readAt(bytes, 0, bytes.length, 0);
    if (got === bytes.length) return bytes;
    // Taken for the end of the manifest, the edits behind it would be lost.
    throw new CorruptionError(
      `The manifest has ${bytes.length} bytes, but reading it ended after ${got}`,
      { file: path, offset: got },
    );
  } finally {
    handle.close();
  }
}

export class ManifestLog {
  readonly #fs: FileSystem;
  readonly #dir: string;
  readonly #random: Random;
  readonly #identity: ManifestIdentity;
  #state: ManifestState;
  #number = 0;
  #handle: FileHandle | undefined;
  #nonce = 0;
  #offset = 0;
  #chain = 0;
  #broken = false;
  #isClosed = false;
  #rollNumber = 0;
  /** Numbers of manifests that CURRENT names, or may name after a switch that failed. */
  #named: number[] = [];

  private constructor(
    fs: FileSystem,
    dir: string,
    random: Random,
    identity: ManifestIdentity,
    state: ManifestState,
  ) {
    this.#fs = fs;
    this.#dir = dir;
    this.#random = random;
    this.#identity = identity;
    this.#state = state;
  }

  /**
   * Starts a new manifest that describes `state` and makes it the current one. Its number is taken
   * from `state.nextNumber`.
   */
  static start(
    fs: FileSystem,
    dir: string,
    random: Random,
    identity: ManifestIdentity,
    state: ManifestState,
  ): ManifestLog {
    const log = new ManifestLog(fs, dir, random, identity, state);
    try {
      log.#roll(state);
    } catch (error) {
      log.#closeFile();
      throw error;
    }
    return log;
  }

  get state(): ManifestState {
    return this.#state;
  }

  /** Number of the manifest file in force. */
  get number(): number {
    return this.#number;
  }

  /**
   * Makes `edit` durable and returns the state after it. When it throws, the edit may or may not
   * be on disk: call again with the same edit, as often as it takes.
   */
  commit(edit: ManifestEdit): ManifestState {
    if (this.#isClosed) throw new StormError('INTERNAL', 'The manifest is closed');
    const next = applyEdit(this.#state, edit);
    if (this.#broken || this.#offset > ROLL_BYTES) this.#roll(next);
    else {
      this.#broken = true;
      this.#append(edit);
      this.#broken = false;
      this.#state = next;
    }
    return this.#state;
  }

  close(): void {
    this.#isClosed = true;
    this.#closeFile();
  }

  #closeFile(): void {
    this.#handle?.close();
    this.#handle = undefined;
  }

  #append(edit: ManifestEdit): void {
    const payload = encodeEdit(edit);
    const size = frameBytes(payload.length);
    const frame = new Uint8Array(size);
    frame.set(payload, FRAME_HEADER_BYTES);
    const crc = sealFrame(frame, new DataView(frame.buffer), {
      payloadLength: payload.length,
      type: FRAME_EDIT,
      count: 1,
      nonce: this.#nonce,
      offset: this.#offset,
      firstSequence: 0,
      syncedOffset: this.#offset,
      commitTimeMs: 0,
      chain: this.#chain,
    });
    const handle = this.#handle;
    if (handle === undefined) throw new StormError('INTERNAL', 'The manifest is not open');
    handle.writeAt(frame, 0, size, this.#offset);
    handle.syncData();
    this.#offset += size;
    this.#chain = crc;
  }

  #roll(state: ManifestState): void {
    this.#broken = true;
    // Never the number of an attempt that failed: CURRENT may already name that file on disk.
    const number = Math.max(state.nextNumber, this.#rollNumber + 1);
    this.#rollNumber = number;
    const next: ManifestState = { ...state, nextNumber: number + 1 };
    this.#writeNew(number, next);
    const former = [...this.#named];
    this.#named.push(number);
    writeCheckedJson(this.#fs, this.#dir, CURRENT_FILE, {
      manifest: number,
      nonce: this.#nonce,
      storeUuid: this.#identity.storeUuid,
    });
    this.#number = number;
    this.#state = next;
    this.#broken = false;
    this.#named = [number];
    for (const old of former) this.#removeQuietly(old);
  }

  /** A manifest that describes `state`, durable; after an error no file is left. */
  #writeNew(number: number, state: ManifestState): void {
    this.#closeFile();
    this.#handle = this.#fs.open(this.#path(number), 'create');
    this.#nonce = randomUint48(this.#random);
    this.#offset = 0;
    this.#chain = 0;
    try {
      this.#append(snapshotEdit(state, { ...this.#identity, version: MANIFEST_VERSION }));
      this.#fs.syncDir(this.#dir);
    } catch (error) {
      // CURRENT cannot name it. Attempts on a full disk would otherwise pile up.
      this.#removeQuietly(number);
      throw error;
    }
  }

  #removeQuietly(number: number): void {
    try {
      this.#fs.remove(this.#path(number));
    } catch {
      // No state needs its absence; the next opening sweeps what is left.
    }
  }

  #path(number: number): string {
    return `${this.#dir}/${manifestFileName(fileNumber(number))}`;
  }
}
