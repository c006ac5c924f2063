/** A WAL on a simulated disk, with texts as payloads, and what reading it gives. */
import { CorruptionError } from '../../src/base/errors.js';
import type { Random } from '../../src/base/random.js';
import { alignFrame, FRAME_HEADER_BYTES, frameBytes } from '../../src/storage/log-frame.js';
import { NO_PREDECESSOR } from '../../src/storage/wal-format.js';
import { readWal, type WalReading } from '../../src/storage/wal-reader.js';
import { type WalOptions, WalWriter } from '../../src/storage/wal-writer.js';
import type { GroupFrame } from '../../src/storage/write-ahead-log.js';
import { SeededRandom } from './seeded-random.js';
import { SimulatedDisk } from './simulated-disk.js';

export const WAL_DIR = '/shard';
export const WAL_IDENTITY = { storeUuid: new Uint8Array(16).fill(7), shard: 3 };
export const SEGMENT_BYTES = 32 * 1024;
const COMMIT_TIME_MS = 1_700_000_000_000;

export function walDisk(): SimulatedDisk {
  const disk = new SimulatedDisk();
  disk.makeDir(WAL_DIR);
  disk.syncAll();
  return disk;
}

/** A group as the engine hands it over: `payload` behind the gap for the header. */
export function groupOf(
  payload: Uint8Array | string,
  firstSequence: number,
  count = 1,
): GroupFrame {
  const content = typeof payload === 'string' ? Buffer.from(payload) : payload;
  // What lies behind the payload is left over from an earlier use of the buffer.
  const bytes = new Uint8Array(alignFrame(frameBytes(content.length))).fill(0xee);
  bytes.set(content, FRAME_HEADER_BYTES);
  return {
    bytes,
    view: new DataView(bytes.buffer),
    payloadLength: content.length,
    count,
    firstSequence,
    commitTimeMs: COMMIT_TIME_MS,
  };
}

/** Opens the log behind what reading finds, as recovery does. */
export function openWal(
  disk: SimulatedDisk,
  random: Random | number = 1,
  options: Partial<WalOptions> = {},
  minSegment = 1,
  flushedSequence = 0,
): WalWriter {
  const isNew = disk.list(WAL_DIR).length === 0;
  const found = isNew ? undefined : readTexts(disk, minSegment, flushedSequence).reading;
  return WalWriter.open(
    disk,
    WAL_DIR,
    typeof random === 'number' ? new SeededRandom(random) : random,
    { segmentBytes: SEGMENT_BYTES, sparesMax: 2, ...options },
    {
      identity: WAL_IDENTITY,
      ownerEpoch: (found?.ownerEpoch ?? 0) + 1,
      live: found?.live ?? [],
      spares: found?.spares ?? [],
      end: found?.end ?? NO_PREDECESSOR,
      firstSequence: Math.max(found?.end.lastSequence ?? 0, flushedSequence) + 1,
    },
  );
}

/** Appends each text as a group of its own; synced if asked for. */
export function append(wal: WalWriter, texts: readonly string[], sync = true): void {
  for (const text of texts) {
    wal.append(groupOf(text, wal.appendedThrough + 1));
    if (sync) wal.requestSync();
  }
}

export interface Found {
  texts: string[];
  reading: WalReading;
}

export function readTexts(disk: SimulatedDisk, minSegment = 1, flushedSequence = 0): Found {
  const texts: string[] = [];
  const reading = readWal(
    disk,
    WAL_DIR,
    WAL_IDENTITY,
    minSegment,
    flushedSequence,
    ({ header, bytes, payloadStart }) => {
      const end = payloadStart + header.payloadLength;
      texts.push(Buffer.from(bytes.subarray(payloadStart, end)).toString());
    },
  );
  return { texts, reading };
}

/** The one WAL file of a disk, or the one whose header has this number. */
export function segmentPath(disk: SimulatedDisk, number = 1): string {
  for (const name of disk.list(WAL_DIR)) {
    const path = `${WAL_DIR}/${name}`;
    const bytes = disk.contentOf(path);
    if (new DataView(bytes.buffer).getUint32(32, true) === number) return path;
  }
  throw new Error(`There is no segment ${number}`);
}

export function flip(disk: SimulatedDisk, path: string, at: number, mask = 0x10): void {
  const bytes = disk.contentOf(path);
  bytes[at] = (bytes[at] ?? 0) ^ mask;
  disk.replaceContent(path, bytes);
}

/** For assert.throws: damage at this place. */
export const isDamageAt = (file: string, offset: number, sequence?: number) => (error: unknown) =>
  error instanceof CorruptionError &&
  error.site.file === file &&
  error.site.offset === offset &&
  (sequence === undefined || error.site.sequence === sequence);
