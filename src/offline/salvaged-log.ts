/** What can still be read of a shard's log: its frames, and which sequence numbers are missing. */
import { messageOf } from '../base/errors.js';
import { readWhole, surveySegment } from '../storage/check-wal.js';
import { parseFileName } from '../storage/file-names.js';
import type { FileSystem } from '../storage/file-system.js';
import {
  FRAME_ALIGN_BYTES,
  FRAME_DATA,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  readFrame,
} from '../storage/log-frame.js';
import {
  decodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from '../storage/wal-format.js';
import type { WalFrame } from '../storage/wal-reader.js';

export interface LostSequences {
  fromSequence: number;
  /** Infinite: nobody knows whether there was anything. */
  toSequence: number;
  why: string;
}

export interface SalvagedLog {
  /** By sequence number. */
  frames: WalFrame[];
  lost: LostSequences[];
  lastSequence: number;
  segments: number;
}

export interface LogBounds {
  /** Undefined where no manifest tells. */
  minSegment: number | undefined;
  /** All through it is in tables. */
  flushedSequence: number;
  durableSequence: number;
  /** 32 hexadecimal digits; undefined: whatever is there. */
  storeUuid: string | undefined;
  shard: number;
}

/** Never throws for damage. */
export function surveyLog(fs: FileSystem, dir: string, bounds: LogBounds): SalvagedLog {
  const survey = new LogSurvey(fs, dir, bounds);
  return survey.run();
}

interface Segment {
  path: string;
  sizeBytes: number;
  header: SegmentHeader | undefined;
}

class LogSurvey {
  readonly #fs: FileSystem;
  readonly #dir: string;
  readonly #bounds: LogBounds;
  readonly #frames = new Map<number, WalFrame>();
  #tail: string | undefined;

  constructor(fs: FileSystem, dir: string, bounds: LogBounds) {
    this.#fs = fs;
    this.#dir = dir;
    this.#bounds = bounds;
  }

  run(): SalvagedLog {
    const all = this.#segments();
    const { minSegment = 0 } = this.#bounds;
    const known = all
      .filter(({ header }) => header !== undefined && header.number >= minSegment)
      .sort((a, b) => (a.header?.number ?? 0) - (b.header?.number ?? 0));
    known.forEach(({ path, header, sizeBytes }) => {
      if (header !== undefined && header.sizeBytes !== sizeBytes) {
        this.#tail = `${path} has ${sizeBytes} bytes and should have ${header.sizeBytes}`;
        this.#headless(path, header.nonce);
        return;
      }
      const successor = known.find((one) => one.header?.number === (header?.number ?? 0) + 1);
      this.#whole(path, successor?.header?.predecessor.endOffset);
    });
    // A header that is gone does not say which life its frames are of: they fill gaps only.
    for (const { path, header } of all) if (header === undefined) this.#headless(path);
    return { ...this.#gaps(), segments: known.length };
  }

  #segments(): Segment[] {
    return this.#fs.list(this.#dir).flatMap((name): Segment[] => {
      if (parseFileName(name).kind !== 'wal') return [];
      const path = `${this.#dir}/${name}`;
      try {
        const bytes = readWhole(this.#fs, path);
        const sizeBytes = bytes.length;
        const reading = decodeSegmentHeader(bytes.subarray(0, SEGMENT_HEADER_BYTES));
        if (reading.kind !== 'valid') return [{ path, sizeBytes, header: undefined }];
        return this.#isOurs(reading.header) ? [{ path, sizeBytes, header: reading.header }] : [];
      } catch {
        return [];
      }
    });
  }

  #isOurs({ shard, storeUuid }: SegmentHeader): boolean {
    if (shard !== this.#bounds.shard) return false;
    const uuid = Buffer.from(storeUuid).toString('hex');
    return this.#bounds.storeUuid === undefined || uuid === this.#bounds.storeUuid;
  }

  #whole(path: string, stopAt: number | undefined): void {
    this.#tail = undefined;
    const visitor = {
      frame: (header: FrameHeader, payload: Uint8Array) => this.#take(header, payload),
    };
    surveySegment(
      this.#fs,
      path,
      visitor,
      ({ severity, what }) => {
        // The end of the last segment alone can be in doubt: the others have a successor.
        if (severity === 'notice') this.#tail = what;
      },
      stopAt,
    );
  }

  /** Frames wherever they are; of one life of the file, or of whichever they are. */
  #headless(path: string, nonce?: number): void {
    let bytes: Uint8Array;
    try {
      bytes = readWhole(this.#fs, path);
    } catch (error) {
      this.#tail ??= messageOf(error);
      return;
    }
    for (let at = SEGMENT_HEADER_BYTES; at < bytes.length; at += FRAME_ALIGN_BYTES) {
      const header = readFrame(bytes, at);
      if (header === undefined || (nonce ?? header.nonce) !== header.nonce) continue;
      if (this.#frames.has(header.firstSequence)) continue;
      const start = at + FRAME_HEADER_BYTES;
      this.#take(header, bytes.subarray(start, start + header.payloadLength));
    }
  }

  #take(header: FrameHeader, payload: Uint8Array): void {
    if (header.type !== FRAME_DATA || header.count === 0) return;
    if (header.firstSequence + header.count - 1 <= this.#bounds.flushedSequence) return;
    const bytes = payload.slice();
    this.#frames.set(header.firstSequence, { header, bytes, payloadStart: 0 });
  }

  #gaps(): Omit<SalvagedLog, 'segments'> {
    const frames = [...this.#frames.values()].sort(
      (a, b) => a.header.firstSequence - b.header.firstSequence,
    );
    const { flushedSequence, durableSequence, minSegment } = this.#bounds;
    const lost: LostSequences[] = [];
    let next = flushedSequence + 1;
    for (const { header } of frames) {
      if (header.firstSequence > next) {
        const why = 'frames of the log cannot be read';
        lost.push({ fromSequence: next, toSequence: header.firstSequence - 1, why });
      }
      next = Math.max(next, header.firstSequence + header.count);
    }
    if (durableSequence >= next) {
      const why = 'the end of the log cannot be read';
      lost.push({ fromSequence: next, toSequence: durableSequence, why });
      next = durableSequence + 1;
    }
    const isOpen = this.#tail !== undefined || minSegment === undefined;
    const why = this.#tail ?? 'without a manifest the end of the log is not known';
    if (isOpen) lost.push({ fromSequence: next, toSequence: Number.POSITIVE_INFINITY, why });
    return { frames, lost, lastSequence: next - 1 };
  }
}
