/**
 * Reads the log of a living shard page by page, from a sequence number on, for change feeds. Sees
 * only frames that are durable, each verified before an entry of it is shown. Belongs to the
 * shard's thread; a call reads a bounded number of bytes, whatever the log holds.
 *
 * Where a page ends is remembered for a few readers, so the next one finds its place at once. A
 * reader that is unknown has to be led to its place frame by frame; where that takes long, the page
 * ends early, empty, and the next call goes on.
 */
import { RunReader } from '../base/entry-run.js';
import { CorruptionError } from '../base/errors.js';
import { type EntryView, KIND_DELETE, KIND_PUT } from './entry-cursor.js';
import type { FileSystem } from './file-system.js';
import {
  FRAME_DATA,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  frameBytes,
  peekFrame,
  readFrame,
} from './log-frame.js';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES } from './wal-format.js';
import type { LogSegment } from './write-ahead-log.js';

/** Frames that are passed over in one call on the way to a reader's place. */
const PASSED_MAX = 2000;
const PLACES_MAX = 64;

/** Takes entries until it is full; the bytes are borrowed. */
export interface ChangeSink {
  /** False when the entry was not taken: the page ends before it. */
  add(entry: EntryView): boolean;
}

export type LogPage =
  /** The next page begins with `next`; `isEnd`: nothing more is durable now. */
  | { kind: 'page'; next: number; isEnd: boolean }
  /** The log begins later than that. */
  | { kind: 'gap'; oldest: number };

interface Place {
  segment: number;
  offset: number;
  nonce: number;
  /** The frame at `offset` begins with it, where there is one. */
  sequence: number;
}

export class LogPages {
  readonly #fs: FileSystem;
  readonly #reader = new RunReader();
  /** By the sequence number that the reader asks for next. */
  readonly #places = new Map<number, Place>();
  #buffer = new Uint8Array(64 * 1024);

  constructor(fs: FileSystem) {
    this.#fs = fs;
  }

  /**
   * Shows the entries from `from` on to `sink`, from `segments` (as WriteAheadLog.segmentsFrom has
   * them, taken in this turn), until it is full or some `bytesMax` of frames are read.
   */
  read(segments: readonly LogSegment[], from: number, bytesMax: number, sink: ChangeSink): LogPage {
    const first = segments[0];
    if (first !== undefined && first.firstSequence > from) {
      return { kind: 'gap', oldest: first.firstSequence };
    }
    let next = from;
    let bytes = 0;
    let place = this.#places.get(from);
    this.#places.delete(from);
    for (const segment of segments) {
      if (place !== undefined && segment.number < place.segment) continue;
      const walk = this.#segment(segment, place, next, bytesMax - bytes, sink);
      ({ next, place } = walk);
      bytes += walk.bytes;
      if (walk.isFull) {
        this.#remember(next, place);
        return { kind: 'page', next, isEnd: false };
      }
      if (segment.syncedOffset === undefined) place = undefined;
    }
    if (place !== undefined) this.#remember(next, place);
    return { kind: 'page', next, isEnd: true };
  }

  #remember(next: number, place: Place): void {
    if (this.#places.size >= PLACES_MAX) {
      for (const oldest of this.#places.keys()) {
        this.#places.delete(oldest);
        break;
      }
    }
    this.#places.set(next, place);
  }

  /** Walks the frames of one segment from the place, or from its beginning. */
  #segment(
    segment: LogSegment,
    known: Place | undefined,
    from: number,
    bytesMax: number,
    sink: ChangeSink,
  ): { next: number; place: Place; bytes: number; isFull: boolean } {
    const handle = this.#fs.open(segment.path, 'read');
    try {
      const place = known?.segment === segment.number ? { ...known } : this.#begin(segment, handle);
      const end = segment.syncedOffset ?? handle.sizeBytes();
      let next = from;
      let bytes = 0;
      for (let passed = 0; place.offset < end; ) {
        const frame = this.#head(handle, place, end);
        if (frame === undefined) break;
        const last = frame.firstSequence + frame.count - 1;
        if (frame.type === FRAME_DATA && last >= next) {
          if (bytes >= bytesMax) return { next, place, bytes, isFull: true };
          bytes += this.#load(handle, segment, place, frame);
          const shown = this.#show(frame, next, sink);
          if (shown <= last) return { next: shown, place, bytes, isFull: true };
          next = shown;
        } else if (++passed > PASSED_MAX) return { next, place, bytes, isFull: true };
        place.offset += frameBytes(frame.payloadLength);
        place.sequence = last + 1;
      }
      if (segment.lastSequence >= next) throw damaged(segment, place.offset, next);
      return { next, place, bytes, isFull: false };
    } finally {
      handle.close();
    }
  }

  #begin(segment: LogSegment, handle: ReturnType<FileSystem['open']>): Place {
    handle.readAt(this.#buffer, 0, SEGMENT_HEADER_BYTES, 0);
    const reading = decodeSegmentHeader(this.#buffer.subarray(0, SEGMENT_HEADER_BYTES));
    if (reading.kind !== 'valid' || reading.header.number !== segment.number) {
      throw damaged(segment, 0, segment.firstSequence);
    }
    const { nonce, firstSequence: sequence } = reading.header;
    return { segment: segment.number, offset: SEGMENT_HEADER_BYTES, nonce, sequence };
  }

  /** The frame at the place, by its head alone; undefined where another life's begin. */
  #head(
    handle: ReturnType<FileSystem['open']>,
    { offset, nonce, sequence }: Place,
    end: number,
  ): FrameHeader | undefined {
    const got = handle.readAt(this.#buffer, 0, FRAME_HEADER_BYTES, offset);
    if (got < FRAME_HEADER_BYTES) return undefined;
    const frame = peekFrame(this.#buffer, 0);
    if (frame?.nonce !== nonce || frame.offset !== offset) return undefined;
    if (frame.firstSequence !== sequence) return undefined;
    return offset + frameBytes(frame.payloadLength) <= end ? frame : undefined;
  }

  /** Reads the frame whole and verifies it; returns its bytes. */
  #load(
    handle: ReturnType<FileSystem['open']>,
    segment: LogSegment,
    { offset }: Place,
    { payloadLength, firstSequence }: FrameHeader,
  ): number {
    const length = FRAME_HEADER_BYTES + payloadLength;
    if (this.#buffer.length < length) this.#buffer = new Uint8Array(length * 2);
    const got = handle.readAt(this.#buffer, 0, length, offset);
    const frame = readFrame(this.#buffer.subarray(0, got), 0, offset);
    if (frame === undefined) throw damaged(segment, offset, firstSequence);
    return length;
  }

  /** Shows the loaded frame's entries from `from` on; returns the first that was not taken. */
  #show(
    { firstSequence, payloadLength, commitTimeMs }: FrameHeader,
    from: number,
    sink: ChangeSink,
  ) {
    const reader = this.#reader;
    const { shown } = this;
    reader.reset(this.#buffer, FRAME_HEADER_BYTES, payloadLength);
    let sequence = firstSequence;
    for (; reader.next(); sequence++) {
      if (sequence < from) continue;
      shown.keyBytes = shown.valueBytes = this.#buffer;
      shown.keyStart = reader.keyStart;
      shown.keyLength = reader.keyLength;
      shown.valueStart = reader.valueStart;
      shown.valueLength = reader.valueLength;
      shown.kind = reader.isDelete ? KIND_DELETE : KIND_PUT;
      shown.sequence = sequence;
      shown.expiresAtMs = reader.ttlMs === 0 ? 0 : commitTimeMs + reader.ttlMs;
      if (!sink.add(shown)) return sequence;
    }
    return sequence;
  }

  /** What the sink is shown; good until the next entry. */
  readonly shown: EntryView = {
    valid: true,
    keyBytes: new Uint8Array(0),
    keyStart: 0,
    keyLength: 0,
    sequence: 0,
    kind: KIND_PUT,
    expiresAtMs: 0,
    valueBytes: new Uint8Array(0),
    valueStart: 0,
    valueLength: 0,
  };
}

function damaged({ path }: LogSegment, offset: number, sequence: number): CorruptionError {
  const what = 'The log cannot be read on from here, though more of it is durable';
  return new CorruptionError(what, { file: path, offset, sequence });
}
