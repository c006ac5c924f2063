/**
 * The segment files of a shard's WAL before they are read: which of them the manifest still needs,
 * which may be reused, and what is refused at once (docs/formats/wal.md, "Finding the end").
 * Nothing is written here.
 */
import { CorruptionError, StormError } from '../base/errors.js';
import { parseFileName } from './file-names.js';
import type { FileSystem } from './file-system.js';
import { FRAME_HEADER_BYTES, type FrameHeader, peekFrame, readFrame } from './log-frame.js';
import {
  decodeSegmentHeader,
  type HeaderReading,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  WAL_VERSION,
  type WalIdentity,
} from './wal-format.js';

export interface SegmentFile {
  path: string;
  slot: number;
  sizeBytes: number;
  reading: HeaderReading;
}

/** A segment that the manifest still needs. */
export interface NeededSegment {
  file: SegmentFile;
  header: SegmentHeader;
}

/** Every segment file in the folder with what its header says. */
export function listSegments(fs: FileSystem, dir: string): SegmentFile[] {
  const files: SegmentFile[] = [];
  for (const name of fs.list(dir)) {
    const parsed = parseFileName(name);
    if (parsed.kind !== 'wal') continue;
    const path = `${dir}/${name}`;
    const handle = fs.open(path, 'read');
    try {
      const block = new Uint8Array(SEGMENT_HEADER_BYTES);
      const got = handle.readAt(block, 0, block.length, 0);
      const sizeBytes = handle.sizeBytes();
      if (got < Math.min(block.length, sizeBytes)) {
        throw new CorruptionError(
          `The WAL segment has ${sizeBytes} bytes, but reading its header ended after ${got}`,
          { file: path, offset: got },
        );
      }
      const reading = decodeSegmentHeader(block.subarray(0, got));
      files.push({ path, slot: parsed.number, sizeBytes, reading });
    } finally {
      handle.close();
    }
  }
  return files;
}

/**
 * The segments from `minSegment` on, oldest first. They must be whole in number and continue at the
 * last sequence that is safe in tables.
 */
export function pickNeeded(
  fs: FileSystem,
  files: readonly SegmentFile[],
  identity: WalIdentity,
  minSegment: number,
  flushedSequence: number,
): NeededSegment[] {
  const needed: NeededSegment[] = [];
  for (const file of files) {
    if (file.reading.kind !== 'valid') continue;
    const { header } = file.reading;
    refuseForeign(file.path, header, identity);
    if (header.number >= minSegment) needed.push({ file, header });
  }
  needed.sort((a, b) => a.header.number - b.header.number);
  needed.forEach(({ file, header }, index) => {
    const expected = minSegment + index;
    if (header.number !== expected) {
      // The one that is missing may be there without its header: then that is what to say.
      refuseLostHeaders(fs, files.filter(isHeaderless), flushedSequence);
      throw new CorruptionError(
        `WAL segment ${expected} is missing or doubled: found number ${header.number}`,
        { file: file.path, offset: 0, sequence: flushedSequence + 1 },
      );
    }
  });
  const first = needed[0];
  if (first === undefined) {
    refuseLostHeaders(fs, files.filter(isHeaderless), flushedSequence);
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
  return needed;
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

function isHeaderless(file: SegmentFile): boolean {
  return file.reading.kind !== 'valid';
}

/**
 * Looks at files that are no part of the log. A header is synced before the first frame behind it,
 * so one that is damaged, or of a former life, with nothing new behind it stems from an unfinished
 * creation; with writes newer than the end that was found, it is damage. A seal holds none: its
 * number is that of the next write.
 */
export function refuseLostHeaders(
  fs: FileSystem,
  files: readonly SegmentFile[],
  lastSequence: number,
): void {
  for (const file of files) {
    const frame = firstFrame(fs, file.path);
    if (frame !== undefined && frame.count > 0 && frame.firstSequence > lastSequence) {
      throw new CorruptionError('The header of a WAL segment that holds writes is damaged', {
        file: file.path,
        offset: 0,
        sequence: frame.firstSequence,
      });
    }
  }
}

/** The frame at the beginning of a segment file, where there is one, whatever the header says. */
export function firstFrame(fs: FileSystem, path: string): FrameHeader | undefined {
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
