/**
 * Walks one manifest file and reports what is wrong with it. Changes nothing. Which manifest counts
 * and what state it gives is readManifest's to say (manifest-log.ts).
 *
 * Each edit is synced before the next is written, into space that was never used. So all of it but
 * the last edit must be whole, and a last one that is there to its end, yet fails its checksum, was
 * not left unfinished by a crash.
 */
import { StormError } from '../base/errors.js';
import { type FindingSink, firstNonZero, reporting } from './check-finding.js';
import { readWhole } from './check-wal.js';
import type { FileSystem } from './file-system.js';
import {
  FRAME_ALIGN_BYTES,
  FRAME_EDIT,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  frameBytes,
  peekFrame,
  readFrame,
} from './log-frame.js';
import { decodeEdit, type ManifestEdit } from './manifest-format.js';
import { applyEdit, EMPTY_STATE, type ManifestState } from './manifest-state.js';

const SECTOR_BYTES = 512;

export interface ManifestVisitor {
  edit?(edit: ManifestEdit, header: FrameHeader): void;
  /** The state after all edits that could be read. */
  end?(state: ManifestState, offset: number): void;
}

export function surveyManifest(
  fs: FileSystem,
  path: string,
  visitor: ManifestVisitor,
  found: FindingSink,
): void {
  const bytes = reporting(found, path, 0, () => readWhole(fs, path));
  if (bytes === undefined) return;
  let state = EMPTY_STATE;
  let at = 0;
  let last: FrameHeader | undefined;
  for (;;) {
    const header = readFrame(bytes, at);
    if (header === undefined || !continues(header, last)) break;
    const next = reporting(found, path, at, () =>
      takeEdit(bytes, at, header, state, path, visitor),
    );
    if (next === undefined) return;
    state = next;
    const end = at + frameBytes(header.payloadLength);
    const payloadEnd = at + FRAME_HEADER_BYTES + header.payloadLength;
    const odd = firstNonZero(bytes, payloadEnd, Math.min(end, bytes.length));
    if (odd >= 0) {
      const what = 'The padding of an edit is not zero';
      found({ severity: 'damage', file: path, offset: odd, what });
    }
    at = end;
    last = header;
  }
  judgeRest(bytes, at, last, path, found);
  visitor.end?.(state, at);
}

function continues(header: FrameHeader, last: FrameHeader | undefined): boolean {
  if (header.type !== FRAME_EDIT || header.chain !== (last?.crc ?? 0)) return false;
  return last === undefined || header.nonce === last.nonce;
}

function takeEdit(
  bytes: Uint8Array,
  at: number,
  header: FrameHeader,
  state: ManifestState,
  path: string,
  visitor: ManifestVisitor,
): ManifestState {
  const start = at + FRAME_HEADER_BYTES;
  const edit = decodeEdit(bytes.subarray(start, start + header.payloadLength), path, at);
  visitor.edit?.(edit, header);
  if ((at === 0) !== (edit.snapshot !== undefined)) {
    throw new StormError('DATA_CORRUPTION', 'A snapshot must be the first edit and only that');
  }
  return applyEdit(state, edit);
}

function judgeRest(
  bytes: Uint8Array,
  at: number,
  last: FrameHeader | undefined,
  file: string,
  found: FindingSink,
): void {
  if (last === undefined) {
    found({ severity: 'damage', file, offset: 0, what: 'The manifest has no readable first edit' });
    return;
  }
  for (let later = at + FRAME_ALIGN_BYTES; later < bytes.length; later += FRAME_ALIGN_BYTES) {
    if (readFrame(bytes, later)?.nonce !== last.nonce) continue;
    found({ severity: 'damage', file, offset: at, what: 'An edit of the manifest is damaged' });
    return;
  }
  if (firstNonZero(bytes, at, bytes.length) < 0) return;
  const isWhole = isThereToItsEnd(bytes, at);
  found({
    severity: isWhole ? 'damage' : 'notice',
    file,
    offset: at,
    what: isWhole ? 'The last edit of the manifest is damaged' : 'The last edit is unfinished',
  });
}

/** True when no sector of the frame at `at` is missing and its text ends where it should. */
function isThereToItsEnd(bytes: Uint8Array, at: number): boolean {
  let end = bytes.length;
  while (end > at && bytes[end - 1] === 0) end--;
  for (let sector = at; sector < end; sector += SECTOR_BYTES) {
    if (firstNonZero(bytes, sector, Math.min(sector + SECTOR_BYTES, end)) < 0) return false;
  }
  const start = at + FRAME_HEADER_BYTES;
  if (peekFrame(bytes, at)?.payloadLength === end - start) return true;
  return end > start && isJson(bytes.subarray(start, end));
}

function isJson(text: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(text).toString('utf8'));
    return true;
  } catch {
    return false;
  }
}
