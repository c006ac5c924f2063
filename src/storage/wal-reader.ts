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
import { parseFileName } from './file-names.js';
import type { FileSystem } from './file-system.js';
import {
  FRAME_ALIGN_BYTES,
  FRAME_DATA,
  FRAME_HEADER_BYTES,
  FRAME_VERSION,
  type FrameHeader,
  frameBytes,
  peekFrame,
  readFrame,
} from './log-frame.js';
import {
  decodeSegmentHeader,
  type HeaderReading,
  NO_PREDECESSOR,
  SEGMENT_HEADER_BYTES,
  type SegmentEnd,
  type SegmentHeader,
  WAL_VERSION,
} from './wal-format.js';

export interface WalIdentity {
  storeUuid: Uint8Array;
  shard: number;
}

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

interface SegmentFile {
  path: string;
  slot: number;
  sizeBytes: number;
  reading: HeaderReading;
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
  const live = pickLive(files, identity, minSegment, flushedSequence);
  const walk = new SegmentWalk(fs, flushedSequence, onFrame);
  live.forEach(({ file, header }, index) => {
    walk.segment(file, header, live[index + 1]?.header);
  });
  refuseDamagedHeaders(fs, files, walk.end.lastSequence);
  const livePaths = new Set(live.map(({ file }) => file.path));
  return {
    live: walk.live,
    spares: files
      .filter((file) => !livePaths.has(file.path))
      .map(({ path, slot, sizeBytes }) => ({ path, slot, sizeBytes })),
    end: walk.end,
    ownerEpoch: live.reduce((max, { header }) => Math.max(max, header.ownerEpoch), 0),
    frameCount: walk.frameCount,
    tornTail: walk.tornTail,
  };
}

/** True when a segment file in the folder holds a frame: the shard has had writes. */
export function walHoldsFrames(fs: FileSystem, dir: string): boolean {
  return listSegments(fs, dir).some((file) => firstFrame(fs, file.path) !== undefined);
}

function listSegments(fs: FileSystem, dir: string): SegmentFile[] {
  const files: SegmentFile[] = [];
  for (const name of fs.list(dir)) {
    const parsed = parseFileName(name);
    if (parsed.kind !== 'wal') continue;
    const path = `${dir}/${name}`;
    const handle = fs.open(path, 'read');
    try {
      const block = new Uint8Array(SEGMENT_HEADER_BYTES);
      const got = handle.readAt(block, 0, block.length, 0);
      const reading = decodeSegmentHeader(block.subarray(0, got));
      files.push({ path, slot: parsed.number, sizeBytes: handle.sizeBytes(), reading });
    } finally {
      handle.close();
    }
  }
  return files;
}

function pickLive(
  files: SegmentFile[],
  identity: WalIdentity,
  minSegment: number,
  flushedSequence: number,
): { file: SegmentFile; header: SegmentHeader }[] {
  const live: { file: SegmentFile; header: SegmentHeader }[] = [];
  for (const file of files) {
    if (file.reading.kind !== 'valid') continue;
    const { header } = file.reading;
    refuseForeign(file.path, header, identity);
    if (header.number >= minSegment) live.push({ file, header });
  }
  live.sort((a, b) => a.header.number - b.header.number);
  live.forEach(({ file, header }, index) => {
    const expected = minSegment + index;
    if (header.number !== expected) {
      throw new CorruptionError(
        `WAL segment ${expected} is missing or doubled: found number ${header.number}`,
        { file: file.path, offset: 0, sequence: flushedSequence + 1 },
      );
    }
  });
  const first = live[0];
  if (first === undefined) {
    throw new StormError(
      'DATA_CORRUPTION',
      `WAL segment ${minSegment} is missing, which the manifest still needs ` +
        `(sequence ${flushedSequence + 1} on); restore the file or a backup`,
    );
  }
  if (first.header.firstSequence > flushedSequence + 1) {
    throw new CorruptionError('The WAL begins after the last flushed write', {
      file: first.file.path,
      offset: 0,
      sequence: flushedSequence + 1,
    });
  }
  return live;
}

function refuseForeign(path: string, header: SegmentHeader, identity: WalIdentity): void {
  if (header.version !== WAL_VERSION) {
    throw new StormError(
      'FAILED_PRECONDITION',
      `${path} has WAL format version ${header.version}, this program reads ${WAL_VERSION}: ` +
        'use the program version that wrote it',
    );
  }
  const sameStore = header.storeUuid.every((byte, i) => byte === identity.storeUuid[i]);
  if (!sameStore || header.shard !== identity.shard) {
    throw new CorruptionError('The WAL segment belongs to another store or shard', {
      file: path,
      offset: 0,
    });
  }
}

/**
 * A header is synced before the first frame behind it, so a damaged header with nothing new behind
 * it is a torn creation; with a frame newer than the end that was found, it is damage.
 */
function refuseDamagedHeaders(fs: FileSystem, files: SegmentFile[], lastSequence: number): void {
  for (const file of files) {
    if (file.reading.kind === 'valid') continue;
    const frame = firstFrame(fs, file.path);
    if (frame !== undefined && frame.firstSequence > lastSequence) {
      throw new CorruptionError('The header of a WAL segment that holds writes is damaged', {
        file: file.path,
        offset: 0,
        sequence: frame.firstSequence,
      });
    }
  }
}

function firstFrame(fs: FileSystem, path: string): FrameHeader | undefined {
  const handle = fs.open(path, 'read');
  try {
    const head = new Uint8Array(FRAME_HEADER_BYTES);
    handle.readAt(head, 0, head.length, SEGMENT_HEADER_BYTES);
    const peeked = peekFrame(head, 0);
    if (peeked === undefined || peeked.payloadLength > handle.sizeBytes()) return undefined;
    const frame = new Uint8Array(FRAME_HEADER_BYTES + peeked.payloadLength);
    const got = handle.readAt(frame, 0, frame.length, SEGMENT_HEADER_BYTES);
    return readFrame(frame.subarray(0, got), 0, SEGMENT_HEADER_BYTES);
  } finally {
    handle.close();
  }
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
      return bytes.subarray(0, got);
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
