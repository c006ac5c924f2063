/**
 * Where a reader of changes goes on: of each shard the next sequence number, or nothing, where it
 * has to begin with a snapshot. Text that a client keeps and gives back; not to be made by it.
 */
import { StormError } from '../base/errors.js';

export interface WatchPosition {
  slotMapEpoch: number;
  /** By shard; undefined: with a snapshot. */
  next: (number | undefined)[];
}

export function encodeToken({ slotMapEpoch, next }: WatchPosition): string {
  const fields = [slotMapEpoch, ...next.map((sequence) => sequence ?? null)];
  return Buffer.from(JSON.stringify(fields)).toString('base64url');
}

/** Throws INVALID_ARGUMENT. */
export function decodeToken(token: string): WatchPosition {
  let fields: unknown;
  try {
    fields = JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    fields = undefined;
  }
  if (!Array.isArray(fields)) throw wrong();
  const [slotMapEpoch, ...sequences] = fields as unknown[];
  if (!isCount(slotMapEpoch) || sequences.length === 0) throw wrong();
  const next = sequences.map((sequence) => {
    if (sequence === null) return undefined;
    if (isCount(sequence)) return sequence;
    throw wrong();
  });
  return { slotMapEpoch, next };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
}

function wrong(): StormError {
  return new StormError(
    'INVALID_ARGUMENT',
    'The token of the watch is none that a watch gave out: begin without one',
  );
}
