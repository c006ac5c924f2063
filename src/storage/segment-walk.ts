/**
 * Follows the frames of one segment of the log from its header to an end that is known from
 * elsewhere: of a copy, or of a segment that has a successor. What does not lead there is damage.
 */
import { CorruptionError, StormError } from '../base/errors.js';
import { FRAME_DATA, type FrameHeader, frameBytes, readFrame } from './log-frame.js';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './wal-format.js';

export interface WantedSegment {
  number: number;
  /** Where its frames end; undefined: wherever no further frame follows. */
  endOffset: number | undefined;
  /** That it ends with. */
  lastSequence: number;
}

export interface WalkedSegment {
  header: SegmentHeader;
  endOffset: number;
  /** CRC of its last frame, or of its header. */
  chain: number;
  lastSequence: number;
}

/**
 * `bytes`: from the beginning of the segment on. `onFrame` gets each frame and where it begins.
 * Throws NOT_FOUND when this is another segment, DATA_CORRUPTION when it does not lead to the end.
 */
export function walkSegment(
  bytes: Uint8Array,
  file: string,
  wanted: WantedSegment,
  onFrame: (frame: FrameHeader, at: number) => void = () => {},
): WalkedSegment {
  const reading = decodeSegmentHeader(bytes.subarray(0, SEGMENT_HEADER_BYTES));
  if (reading.kind !== 'valid' || reading.header.number !== wanted.number) {
    throw new StormError('NOT_FOUND', `${file} no longer holds segment ${wanted.number}`);
  }
  const { header } = reading;
  const stopAt = wanted.endOffset ?? header.sizeBytes;
  let at = SEGMENT_HEADER_BYTES;
  let chain = header.crc;
  let next = header.firstSequence;
  while (at < stopAt) {
    const frame = readFrame(bytes, at);
    if (frame?.nonce !== header.nonce || frame.chain !== chain) break;
    if (frame.type === FRAME_DATA && frame.firstSequence !== next) break;
    onFrame(frame, at);
    next += frame.count;
    chain = frame.crc;
    at += frameBytes(frame.payloadLength);
  }
  if (next - 1 !== wanted.lastSequence || (wanted.endOffset ?? at) !== at) {
    throw new CorruptionError(
      `Segment ${wanted.number} can be read to sequence ${next - 1}, not to ${wanted.lastSequence}`,
      { file, offset: at, sequence: next },
    );
  }
  return { header, endOffset: at, chain, lastSequence: next - 1 };
}
