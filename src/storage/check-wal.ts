/**
 * Walks one WAL segment on its own and reports what is wrong with it, going on behind damage where
 * frames of the same incarnation follow. Changes nothing. Whether the segments of a shard belong
 * together is readWal's to say (wal-reader.ts).
 *
 * What an unfinished write may leave is a notice: a torn last frame, and odd bytes in the padding
 * of frames, or of the header, that nothing proves to have been synced. The same is damage where a
 * later frame's syncedOffset lies behind it, or any frame behind the header.
 */
import { RunReader } from '../base/entry-run.js';
import { CorruptionError, messageOf, StormError } from '../base/errors.js';
import { type FindingSink, firstNonZero, reporting } from './check-finding.js';
import type { FileSystem } from './file-system.js';
import {
  FRAME_ALIGN_BYTES,
  FRAME_DATA,
  FRAME_HEADER_BYTES,
  FRAME_VERSION,
  type FrameHeader,
  frameBytes,
  readFrame,
} from './log-frame.js';
import {
  decodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  WAL_VERSION,
} from './wal-format.js';

/** Where the fields that betray a frame lie (docs/formats/wal.md). */
const AT_NONCE = 16;
const AT_FIRST_SEQUENCE = 32;
const AT_CHAIN = 56;
const HEADER_CONTENT_BYTES = 512;

export interface SegmentVisitor {
  header?(header: SegmentHeader, sizeBytes: number): void;
  /** Nothing was ever written to the file. */
  blank?(sizeBytes: number): void;
  /** A verified frame; its payload is borrowed. */
  frame?(header: FrameHeader, payload: Uint8Array): void;
  /** Where the frames end. */
  end?(offset: number, lastSequence: number): void;
}

/** `stopAt`: where the segment behind it says that this one ends. */
export function surveySegment(
  fs: FileSystem,
  path: string,
  visitor: SegmentVisitor,
  found: FindingSink,
  stopAt = Number.MAX_SAFE_INTEGER,
): void {
  const bytes = reporting(found, path, 0, () => readWhole(fs, path));
  if (bytes === undefined) return;
  const reading = decodeSegmentHeader(bytes.subarray(0, SEGMENT_HEADER_BYTES));
  if (reading.kind === 'blank') {
    visitor.blank?.(bytes.length);
    return;
  }
  if (reading.kind === 'damaged') {
    const what = 'The header of the WAL segment is damaged';
    found({ severity: 'damage', file: path, offset: 0, what });
    return;
  }
  const { header } = reading;
  visitor.header?.(header, bytes.length);
  const isReadable = reporting(found, path, 0, () => checkHeader(path, header, bytes));
  if (isReadable === undefined) return;
  new FrameWalk(bytes, path, header, visitor, found, stopAt).run();
}

/** All of a file in memory. */
export function readWhole(fs: FileSystem, path: string): Uint8Array {
  const handle = fs.open(path, 'read');
  try {
    const bytes = new Uint8Array(handle.sizeBytes());
    return bytes.subarray(0, handle.readAt(bytes, 0, bytes.length, 0));
  } finally {
    handle.close();
  }
}

function checkHeader(file: string, header: SegmentHeader, bytes: Uint8Array): true {
  if (header.version !== WAL_VERSION) {
    throw new StormError(
      'FAILED_PRECONDITION',
      `The segment has WAL format version ${header.version}, this program reads ${WAL_VERSION}`,
    );
  }
  if (header.sizeBytes !== bytes.length) {
    const offset = Math.min(header.sizeBytes, bytes.length);
    throw new CorruptionError(
      `The WAL segment has ${bytes.length} bytes and should have ${header.sizeBytes}`,
      { file, offset },
    );
  }
  return true;
}

class FrameWalk {
  readonly #bytes: Uint8Array;
  readonly #path: string;
  readonly #visitor: SegmentVisitor;
  readonly #found: FindingSink;
  readonly #nonce: number;
  readonly #end: number;
  readonly #hasSuccessor: boolean;
  readonly #reader = new RunReader();
  readonly #oddPaddings: { offset: number; frameEnd: number }[] = [];
  #at = SEGMENT_HEADER_BYTES;
  #chain: number;
  #lastSequence: number;
  #syncedOffset = 0;
  #hasFrames = false;

  constructor(
    bytes: Uint8Array,
    path: string,
    header: SegmentHeader,
    visitor: SegmentVisitor,
    found: FindingSink,
    stopAt: number,
  ) {
    this.#bytes = bytes;
    this.#path = path;
    this.#visitor = visitor;
    this.#found = found;
    this.#nonce = header.nonce;
    this.#end = Math.min(bytes.length, stopAt);
    this.#hasSuccessor = stopAt <= bytes.length;
    this.#chain = header.crc;
    this.#lastSequence = header.firstSequence - 1;
  }

  run(): void {
    for (;;) {
      while (this.#at < this.#end && this.#frame()) {
        // Goes on with the next one.
      }
      const next = this.#nextFrame();
      if (next === undefined) break;
      this.#skipTo(next);
    }
    this.#judgeTail();
    this.#judgeHeaderPadding();
    for (const { offset, frameEnd } of this.#oddPaddings) {
      const severity = frameEnd <= this.#syncedOffset ? 'damage' : 'notice';
      const what = 'The padding of a frame is not zero';
      this.#found({ severity, file: this.#path, offset, what });
    }
    this.#visitor.end?.(this.#at, this.#lastSequence);
  }

  /** Takes the frame at the present place if it continues the one before. */
  #frame(): boolean {
    const at = this.#at;
    const header = readFrame(this.#bytes, at);
    if (header?.nonce !== this.#nonce || header.chain !== this.#chain) return false;
    if (header.firstSequence !== this.#lastSequence + 1) {
      this.#damage(
        at,
        `The frame begins with sequence ${header.firstSequence}, not ` +
          `${this.#lastSequence + 1}`,
      );
    }
    this.#take(header);
    return true;
  }

  #take(header: FrameHeader): void {
    const at = this.#at;
    const payloadEnd = at + FRAME_HEADER_BYTES + header.payloadLength;
    const frameEnd = at + frameBytes(header.payloadLength);
    this.#visitor.frame?.(header, this.#bytes.subarray(at + FRAME_HEADER_BYTES, payloadEnd));
    if (header.version !== FRAME_VERSION) this.#damage(at, `Frame version ${header.version}`);
    else if (header.type === FRAME_DATA) this.#checkRun(header);
    const odd = firstNonZero(this.#bytes, payloadEnd, Math.min(frameEnd, this.#bytes.length));
    if (odd >= 0) this.#oddPaddings.push({ offset: odd, frameEnd });
    this.#at = frameEnd;
    this.#hasFrames = true;
    this.#chain = header.crc;
    this.#lastSequence = header.firstSequence + header.count - 1;
    this.#syncedOffset = Math.max(this.#syncedOffset, header.syncedOffset);
  }

  #checkRun(header: FrameHeader): void {
    const reader = this.#reader;
    try {
      reader.reset(this.#bytes, this.#at + FRAME_HEADER_BYTES, header.payloadLength);
      while (reader.next()) {
        // Counts.
      }
    } catch (error) {
      this.#damage(this.#at, `The entries of the frame are malformed: ${messageOf(error)}`);
      return;
    }
    if (reader.count === header.count) return;
    this.#damage(this.#at, `The frame says ${header.count} entries and holds ${reader.count}`);
  }

  /**
   * The next whole frame of this incarnation behind the present place, newer than what was read.
   */
  #nextFrame(): number | undefined {
    for (let at = this.#at + FRAME_ALIGN_BYTES; at < this.#end; at += FRAME_ALIGN_BYTES) {
      const header = readFrame(this.#bytes, at);
      if (header?.nonce === this.#nonce && header.firstSequence > this.#lastSequence) return at;
    }
    return undefined;
  }

  #skipTo(at: number): void {
    const header = readFrame(this.#bytes, at);
    if (header === undefined) return;
    // A successor records only an end that its predecessor's reader could reach.
    const isPromised = header.syncedOffset > this.#at || this.#hasSuccessor;
    this.#found({
      severity: isPromised ? 'damage' : 'notice',
      file: this.#path,
      offset: this.#at,
      what: isPromised
        ? `Frames that were acknowledged cannot be read, up to ${at}`
        : `An unfinished or damaged write, up to ${at}`,
    });
    this.#at = at;
    this.#take(header);
  }

  /**
   * A header is synced before the first frame behind it. Without a frame it may have been torn by a
   * power loss, and the log goes on in spite of that: its content is in one sector.
   */
  #judgeHeaderPadding(): void {
    const odd = firstNonZero(this.#bytes, HEADER_CONTENT_BYTES, SEGMENT_HEADER_BYTES);
    if (odd < 0) return;
    const severity = this.#hasFrames ? 'damage' : 'notice';
    const what = 'The space behind the segment header is not zero';
    this.#found({ severity, file: this.#path, offset: odd, what });
  }

  /** Tells an unfinished frame from free space: two of its marks are enough. */
  #judgeTail(): void {
    const at = this.#at;
    if (at + FRAME_HEADER_BYTES > this.#end) return;
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at, FRAME_HEADER_BYTES);
    const marks = [
      Number(view.getBigUint64(AT_NONCE, true)) === this.#nonce,
      view.getUint32(AT_CHAIN, true) === this.#chain,
      Number(view.getBigUint64(AT_FIRST_SEQUENCE, true)) === this.#lastSequence + 1,
    ];
    if (marks.filter(Boolean).length < 2) return;
    const what = 'The last write is unfinished or damaged; it was not proved to be acknowledged';
    this.#found({ severity: 'notice', file: this.#path, offset: at, what });
  }

  #damage(offset: number, what: string): void {
    this.#found({ severity: 'damage', file: this.#path, offset, what });
  }
}
