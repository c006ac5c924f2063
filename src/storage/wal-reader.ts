/**
 * Reads a shard's WAL back and decides where it truly ends (docs/formats/wal.md, "Finding the
 * end"). The steps:
 *   1. Read the header of every segment file; keep those that the manifest still needs.
 *   2. Walk them in order, each one linked to the one before by number, nonce, end and checksum.
 *   3. Deliver every frame while nonce, offset, sequence, chain and checksum hold.
 *   4. At the first miss decide: a proof that later bytes were promised (a successor's record, a
 *      later frame's syncedOffset) means damage and is refused; otherwise the log ends there.
 * Nothing is written here.
 */
import { CorruptionError, StormError } from '../base/errors.js';
import type { FileSystem } from './file-system.js';
import {
  FRAME_ALIGN_BYTES,
  FRAME_CLOSE,
  FRAME_DATA,
  FRAME_HEADER_BYTES,
  FRAME_SEAL,
  FRAME_VERSION,
  type FrameHeader,
  frameBytes,
  peekFrame,
  readFrame,
} from './log-frame.js';
import {
  NO_PREDECESSOR,
  SEGMENT_HEADER_BYTES,
  type SegmentEnd,
  type SegmentHeader,
  type WalIdentity,
} from './wal-format.js';
import {
  firstFrame,
  listSegments,
  pickNeeded,
  refuseLostHeaders,
  type SegmentFile,
} from './wal-segments.js';

const TYPES: readonly number[] = [FRAME_DATA, FRAME_SEAL, FRAME_CLOSE];

export interface WalFrame {
  header: FrameHeader;
  /** Holds the payload at [payloadStart, payloadStart + header.payloadLength); a borrowed view. */
  bytes: Uint8Array;
  payloadStart: number;
}

export interface LiveSegment {
  path: string;
  slot: number;
  number: number;
  sizeBytes: number;
  firstSequence: number;
  lastSequence: number;
}

export interface WalReading {
  /** Segments that the manifest still needs, oldest first. */
  live: LiveSegment[];
  /** Files that may be reused for new segments. */
  spares: { path: string; slot: number; sizeBytes: number }[];
  /** What the next segment must name as its predecessor. */
  end: SegmentEnd;
  /** Newest epoch of an owner found in a header. */
  ownerEpoch: number;
  frameCount: number;
  /** True when bytes behind the end were dropped that belong to an unfinished write. */
  tornTail: boolean;
}

/**
 * Replays the WAL in `dir`. `minSegment` is the oldest segment that the manifest still needs and
 * `flushedSequence` the last sequence number that is safe in tables; frames that lie wholly at or
 * below it are verified but not delivered.
 */
export function readWal(
  fs: FileSystem,
  dir: string,
  identity: WalIdentity,
  minSegment: number,
  flushedSequence: number,
  onFrame: (frame: WalFrame) => void,
): WalReading {
  const files = listSegments(fs, dir);
  const needed = pickNeeded(fs, files, identity, minSegment, flushedSequence);
  const walk = new SegmentWalk(fs, flushedSequence, onFrame);
  needed.forEach(({ file, header }, index) => {
    walk.segment(file, header, needed[index + 1]?.header);
  });
  const neededPaths = new Set(needed.map(({ file }) => file.path));
  const others = files.filter(({ path }) => !neededPaths.has(path));
  refuseLostHeaders(fs, others, Math.max(walk.end.lastSequence, flushedSequence));
  return {
    live: walk.live,
    spares: others.map(({ path, slot, sizeBytes }) => ({ path, slot, sizeBytes })),
    end: walk.end,
    ownerEpoch: needed.reduce((max, { header }) => Math.max(max, header.ownerEpoch), 0),
    frameCount: walk.frameCount,
    tornTail: walk.tornTail,
  };
}

/** True when a segment file in the folder holds a frame: the shard has had writes. */
export function walHoldsFrames(fs: FileSystem, dir: string): boolean {
  return listSegments(fs, dir).some((file) => firstFrame(fs, file.path) !== undefined);
}

/** Walks the segments in order, carrying what the next frame must continue. */
class SegmentWalk {
  readonly live: LiveSegment[] = [];
  end: SegmentEnd = NO_PREDECESSOR;
  frameCount = 0;
  tornTail = false;
  readonly #fs: FileSystem;
  readonly #flushedSequence: number;
  readonly #onFrame: (frame: WalFrame) => void;
  #buffer = new Uint8Array(0);

  constructor(fs: FileSystem, flushedSequence: number, onFrame: (frame: WalFrame) => void) {
    this.#fs = fs;
    this.#flushedSequence = flushedSequence;
    this.#onFrame = onFrame;
  }

  segment(file: SegmentFile, header: SegmentHeader, successor: SegmentHeader | undefined): void {
    const { path } = file;
    if (this.live.length > 0) this.#checkLink(path, header);
    const bytes = this.#read(path, header);
    this.end = {
      number: header.number,
      nonce: header.nonce,
      endOffset: SEGMENT_HEADER_BYTES,
      lastSequence: header.firstSequence - 1,
      chain: header.crc,
    };
    const stopAt = successor?.predecessor.endOffset ?? header.sizeBytes;
    while (this.end.endOffset < stopAt && this.#frame(path, bytes)) this.frameCount++;
    if (successor !== undefined) this.#checkEnd(path, successor.predecessor);
    else this.#judgeTail(path, bytes);
    this.live.push({
      path,
      slot: file.slot,
      number: header.number,
      sizeBytes: header.sizeBytes,
      firstSequence: header.firstSequence,
      lastSequence: this.end.lastSequence,
    });
  }

  #read(path: string, header: SegmentHeader): Uint8Array {
    const handle = this.#fs.open(path, 'read');
    try {
      if (handle.sizeBytes() !== header.sizeBytes) {
        throw new CorruptionError(
          `The WAL segment has ${handle.sizeBytes()} bytes and should have ${header.sizeBytes}`,
          { file: path, offset: handle.sizeBytes(), sequence: header.firstSequence },
        );
      }
      if (this.#buffer.length < header.sizeBytes) this.#buffer = new Uint8Array(header.sizeBytes);
      const bytes = this.#buffer.subarray(0, header.sizeBytes);
      const got = handle.readAt(bytes, 0, bytes.length, 0);
      if (got === bytes.length) return bytes;
      // Taken for the end of the log, what is missing would be lost.
      throw new CorruptionError(
        `The WAL segment has ${header.sizeBytes} bytes, but reading it ended after ${got}`,
        { file: path, offset: got, sequence: header.firstSequence },
      );
    } finally {
      handle.close();
    }
  }

  /** Takes the frame at the present end if it is the one that must follow. */
  #frame(path: string, bytes: Uint8Array): boolean {
    const at = this.end.endOffset;
    const header = readFrame(bytes, at);
    if (header === undefined || header.nonce !== this.end.nonce) return false;
    if (header.chain !== this.end.chain || header.firstSequence !== this.end.lastSequence + 1) {
      return false;
    }
    if (header.version !== FRAME_VERSION) {
      throw new StormError(
        'FAILED_PRECONDITION',
        `${path} has a frame of version ${header.version} at ${at}, this program reads ` +
          `${FRAME_VERSION}: use the program version that wrote it`,
      );
    }
    if (!TYPES.includes(header.type)) {
      throw new StormError(
        'FAILED_PRECONDITION',
        `${path} has a frame of type ${header.type} at ${at}, which this program does not know: ` +
          'use the program version that wrote it',
      );
    }
    const lastSequence = this.end.lastSequence + header.count;
    if (header.type === FRAME_DATA && lastSequence > this.#flushedSequence) {
      this.#onFrame({ header, bytes, payloadStart: at + FRAME_HEADER_BYTES });
    }
    this.end.endOffset = at + frameBytes(header.payloadLength);
    this.end.lastSequence = lastSequence;
    this.end.chain = header.crc;
    return true;
  }

  #checkLink(path: string, header: SegmentHeader): void {
    const covered = Math.max(this.end.lastSequence, this.#flushedSequence);
    if (!sameEnd(header.predecessor, this.end) || header.firstSequence > covered + 1) {
      throw new CorruptionError('The WAL segment does not continue the one before it', {
        file: path,
        offset: 0,
        sequence: this.end.lastSequence + 1,
      });
    }
  }

  /** A segment that has a successor must end exactly where that one says. */
  #checkEnd(path: string, recorded: SegmentEnd): void {
    if (sameEnd(recorded, this.end)) return;
    throw new CorruptionError('Acknowledged bytes of the WAL are damaged', {
      file: path,
      offset: this.end.endOffset,
      sequence: this.end.lastSequence + 1,
    });
  }

  /** Decides whether the last segment ends here or was damaged here. */
  #judgeTail(path: string, bytes: Uint8Array): void {
    const end = this.end.endOffset;
    for (let at = end; at + FRAME_HEADER_BYTES <= bytes.length; at += FRAME_ALIGN_BYTES) {
      const peeked = peekFrame(bytes, at);
      if (peeked?.nonce !== this.end.nonce) continue;
      // Of a former life that drew the same nonce by chance: its sequences are all older.
      if (peeked.firstSequence <= this.end.lastSequence) continue;
      // One of ours that could not be taken: unfinished, or behind something unfinished.
      this.tornTail = true;
      const later = readFrame(bytes, at);
      if (later !== undefined && later.syncedOffset > end) {
        throw new CorruptionError('Acknowledged bytes of the WAL are damaged', {
          file: path,
          offset: end,
          sequence: this.end.lastSequence + 1,
        });
      }
    }
  }
}

function sameEnd(a: SegmentEnd, b: SegmentEnd): boolean {
  return (
    a.number === b.number &&
    a.nonce === b.nonce &&
    a.endOffset === b.endOffset &&
    a.lastSequence === b.lastSequence &&
    a.chain === b.chain
  );
}
