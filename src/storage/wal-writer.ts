/**
 * The WAL on preallocated, recycled segment files (docs/formats/wal.md). Owned by one shard thread.
 *
 * Invariants:
 *  - A segment's header is synced before its first frame is written, and a predecessor is synced to
 *    its end before a successor's header names that end.
 *  - One frame is one write; an unsuccessful write or sync breaks the log for good: nothing is ever
 *    retried on that file, because the kernel may have dropped the dirty pages.
 *  - A released segment keeps its file; a new header with a new nonce and number makes it another
 *    segment, and frames of the former life no longer match.
 */
import { assert } from '../base/assert.js';
import { StormError } from '../base/errors.js';
import { type Random, randomUint48 } from '../base/random.js';
import { parseFileName, walFileName } from './file-names.js';
import type { FileHandle, FileSystem } from './file-system.js';
import {
  alignFrame,
  FRAME_CLOSE,
  FRAME_DATA,
  FRAME_HEADER_BYTES,
  FRAME_SEAL,
  frameBytes,
  sealFrame,
} from './log-frame.js';
import {
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentEnd,
  type WalIdentity,
} from './wal-format.js';
import type { LiveSegment } from './wal-reader.js';
import type { GroupFrame, LogSegment, WriteAheadLog } from './write-ahead-log.js';
import { createZeroFile } from './zero-file.js';

const SLOTS_PER_EPOCH = 1000;

export interface WalOptions {
  segmentBytes: number;
  /** Empty segments to have in stock at least; more are ordered when there are fewer. */
  sparesMax: number;
}

export interface WalStart {
  identity: WalIdentity;
  ownerEpoch: number;
  live: LiveSegment[];
  spares: { path: string; slot: number; sizeBytes: number }[];
  /** Older than the live ones, in tables altogether, kept because a hold needs them; ascending. */
  retired?: LiveSegment[];
  end: SegmentEnd;
  /** The first sequence number that will be appended. */
  firstSequence: number;
}

interface CurrentSegment {
  handle: FileHandle;
  path: string;
  slot: number;
  number: number;
  nonce: number;
  firstSequence: number;
  /** Where the next frame goes. */
  offset: number;
  syncedOffset: number;
  chain: number;
}

export class WalWriter implements WriteAheadLog {
  readonly #fs: FileSystem;
  readonly #dir: string;
  readonly #random: Random;
  readonly #options: WalOptions;
  readonly #identity: WalIdentity;
  readonly #ownerEpoch: number;
  /** Full segments that still hold something unreleased, oldest first. */
  #full: LiveSegment[];
  /** Released, but kept for who still reads them (see `recycle`), oldest first. */
  #retired: LiveSegment[];
  #spares: { path: string; slot: number }[] = [];
  #current: CurrentSegment;
  #nextSlot: number;
  #orders = 0;
  #appended: number;
  #synced: number;
  #broken: string | undefined;
  readonly #sealFrame = new Uint8Array(alignFrame(FRAME_HEADER_BYTES));

  private constructor(
    fs: FileSystem,
    dir: string,
    random: Random,
    options: WalOptions,
    start: WalStart,
  ) {
    this.#fs = fs;
    this.#dir = dir;
    this.#random = random;
    this.#options = options;
    this.#identity = start.identity;
    this.#ownerEpoch = start.ownerEpoch;
    this.#full = [...start.live];
    this.#retired = [...(start.retired ?? [])];
    this.#appended = start.firstSequence - 1;
    this.#synced = start.firstSequence - 1;
    const slots = [...start.live, ...start.spares, ...this.#retired].map(({ slot }) => slot);
    // A job of an earlier life of the shard may still be filling a file: names never meet.
    this.#nextSlot = Math.max(0, start.ownerEpoch * SLOTS_PER_EPOCH, ...slots) + 1;
    this.#adoptSpares(start.spares);
    this.#current = this.#openSegment(start.end);
  }

  /**
   * Opens the log for appending behind `start.end`, always in a new segment: its header pins the
   * end, so that nothing behind it can ever come back.
   */
  static open(
    fs: FileSystem,
    dir: string,
    random: Random,
    options: WalOptions,
    start: WalStart,
  ): WalWriter {
    return new WalWriter(fs, dir, random, options, start);
  }

  get syncedThrough(): number {
    return this.#synced;
  }

  get appendedThrough(): number {
    return this.#appended;
  }

  get liveBytes(): number {
    return this.#full.reduce((sum, { sizeBytes }) => sum + sizeBytes, this.#current.offset);
  }

  get sparesWanted(): number {
    return Math.max(0, this.#options.sparesMax - this.#spares.length - this.#orders);
  }

  hasRoomFor(payloadLength: number): boolean {
    return this.#fits(frameBytes(payloadLength)) || this.#spares.length > 0;
  }

  append(frame: GroupFrame): void {
    const { payloadLength, count, firstSequence, commitTimeMs, bytes, view } = frame;
    this.#refuseIfBroken();
    assert(firstSequence === this.#appended + 1, 'a group continues the sequence');
    const size = frameBytes(payloadLength);
    this.#guard('append to the WAL', () => {
      if (!this.#fits(size)) this.#rotate();
      const current = this.#current;
      assert(this.#fits(size), 'a group fits an empty segment');
      const crc = sealFrame(bytes, view, {
        payloadLength,
        type: FRAME_DATA,
        count,
        nonce: current.nonce,
        offset: current.offset,
        firstSequence,
        syncedOffset: current.syncedOffset,
        commitTimeMs,
        chain: current.chain,
      });
      current.handle.writeAt(bytes, 0, size, current.offset);
      current.offset += size;
      current.chain = crc;
      this.#appended += count;
    });
  }

  requestSync(): void {
    this.#refuseIfBroken();
    if (this.#current.syncedOffset === this.#current.offset) return;
    this.#guard('sync the WAL', () => this.#syncCurrent());
  }

  seal(close: boolean): void {
    this.#refuseIfBroken();
    this.requestSync();
    const size = this.#sealFrame.length;
    // A witness is worth a frame, not a segment.
    if (!this.#fits(size)) return;
    this.#guard('seal the WAL', () => {
      const current = this.#current;
      current.chain = sealFrame(this.#sealFrame, new DataView(this.#sealFrame.buffer), {
        payloadLength: 0,
        type: close ? FRAME_CLOSE : FRAME_SEAL,
        count: 0,
        nonce: current.nonce,
        offset: current.offset,
        firstSequence: this.#appended + 1,
        syncedOffset: current.syncedOffset,
        commitTimeMs: 0,
        chain: current.chain,
      });
      current.handle.writeAt(this.#sealFrame, 0, size, current.offset);
      current.offset += size;
      this.#syncCurrent();
    });
  }

  takeSpareName(): string {
    this.#orders++;
    return walFileName(this.#nextSlot++);
  }

  addSpare(name: string): void {
    this.#orders = Math.max(0, this.#orders - 1);
    const parsed = parseFileName(name);
    assert(parsed.kind === 'wal', 'a spare segment has a segment name');
    this.#spares.push({ path: `${this.#dir}/${name}`, slot: parsed.number });
  }

  /** An order for a spare came to nothing; it may be placed again. */
  cancelSpare(): void {
    this.#orders = Math.max(0, this.#orders - 1);
  }

  oldestSegmentFor(sequence: number): number {
    const holder = this.#full.find(({ lastSequence }) => lastSequence > sequence);
    return holder?.number ?? this.#current.number;
  }

  release(
    sequence: number,
    keepFrom = Number.POSITIVE_INFINITY,
    minSegment = Number.POSITIVE_INFINITY,
  ): void {
    const keep = Math.min(minSegment, this.oldestSegmentFor(sequence));
    this.#retired.push(...this.#full.filter(({ number }) => number < keep));
    this.#full = this.#full.filter(({ number }) => number >= keep);
    this.recycle(keepFrom);
  }

  recycle(keepFrom: number): void {
    const first = this.#retired.findIndex(({ lastSequence }) => lastSequence >= keepFrom);
    const released = this.#retired.splice(0, first < 0 ? this.#retired.length : first);
    // The next MemTable will fill as many again: keeping them costs space, not writes.
    this.#adoptSpares(released, released.length);
  }

  retiredBytesFrom(sequence: number): number {
    let bytes = 0;
    for (const { lastSequence, sizeBytes } of this.#retired) {
      if (lastSequence >= sequence) bytes += sizeBytes;
    }
    return bytes;
  }

  segmentsFrom(sequence: number): LogSegment[] {
    const current = this.#current;
    const full = [...this.#retired, ...this.#full].filter((one) => one.lastSequence >= sequence);
    return [
      ...full.map(({ path, number, firstSequence, lastSequence }) => {
        return { path, number, firstSequence, lastSequence, syncedOffset: undefined };
      }),
      {
        path: current.path,
        number: current.number,
        firstSequence: current.firstSequence,
        lastSequence: this.#synced,
        syncedOffset: current.syncedOffset,
      },
    ];
  }

  get oldestSequence(): number {
    const oldest = this.#retired[0] ?? this.#full[0] ?? this.#current;
    return oldest.firstSequence;
  }

  close(): void {
    this.#broken ??= 'it is closed';
    this.#current.handle.close();
  }

  #adoptSpares(files: { path: string; slot: number; sizeBytes: number }[], keep = 0): void {
    const keepMax = Math.max(keep, this.#options.sparesMax);
    for (const { path, slot, sizeBytes } of files) {
      if (sizeBytes === this.#options.segmentBytes && this.#spares.length < keepMax) {
        this.#spares.push({ path, slot });
      } else {
        this.#removeQuietly(path);
      }
    }
  }

  #removeQuietly(path: string): void {
    try {
      this.#fs.remove(path);
    } catch {
      // The next opening finds it as a spare and tries again: no reason to stop the log.
    }
  }

  #fits(size: number): boolean {
    return this.#current.offset + size <= this.#options.segmentBytes;
  }

  #rotate(): void {
    const { handle, path, slot, number, nonce, firstSequence, chain } = this.#current;
    this.#syncCurrent();
    handle.close();
    const lastSequence = this.#appended;
    const sizeBytes = this.#options.segmentBytes;
    this.#full.push({ path, slot, number, sizeBytes, firstSequence, lastSequence });
    const endOffset = this.#current.offset;
    this.#current = this.#openSegment({ number, nonce, endOffset, lastSequence, chain });
  }

  #openSegment(predecessor: SegmentEnd): CurrentSegment {
    const spare = this.#spares.shift() ?? this.#makeSegment();
    const handle = this.#fs.open(spare.path, 'update');
    const nonce = randomUint48(this.#random);
    const number = predecessor.number + 1;
    const firstSequence = this.#appended + 1;
    const block = encodeSegmentHeader({
      shard: this.#identity.shard,
      storeUuid: this.#identity.storeUuid,
      number,
      nonce,
      ownerEpoch: this.#ownerEpoch,
      sizeBytes: this.#options.segmentBytes,
      firstSequence,
      predecessor,
    });
    try {
      handle.writeAt(block, 0, block.length, 0);
      handle.syncData();
    } catch (error) {
      handle.close();
      throw error;
    }
    const chain = new DataView(block.buffer).getUint32(0, true);
    const offset = SEGMENT_HEADER_BYTES;
    const { path, slot } = spare;
    return {
      handle,
      path,
      slot,
      number,
      nonce,
      firstSequence,
      offset,
      syncedOffset: offset,
      chain,
    };
  }

  /**
   * A segment for an opening that finds none in stock. It is filled like the others: in a file with
   * holes the log would meet a full disk in the middle of a write, and break.
   */
  #makeSegment(): { path: string; slot: number } {
    const slot = this.#nextSlot++;
    const path = `${this.#dir}/${walFileName(slot)}`;
    createZeroFile(this.#fs, path, this.#options.segmentBytes);
    this.#fs.syncDir(this.#dir);
    return { path, slot };
  }

  #syncCurrent(): void {
    const current = this.#current;
    current.handle.syncData();
    current.syncedOffset = current.offset;
    this.#synced = this.#appended;
  }

  #refuseIfBroken(): void {
    if (this.#broken === undefined) return;
    throw new StormError('UNAVAILABLE', `The WAL takes no more writes: ${this.#broken}`);
  }

  #guard(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#broken = `could not ${what}: ${error instanceof Error ? error.message : error}`;
      throw new StormError('UNAVAILABLE', `The shard cannot ${what}; it stops acknowledging`, {
        cause: error,
        outcome: 'unknown',
      });
    }
  }
}
