/**
 * Which versions a flush or a merge keeps: of each key the newest, and for each open snapshot the
 * newest it may see. The snapshots cut the sequence numbers into stripes; of one stripe only the
 * newest version can ever be read. An expired entry counts as a tombstone. In the lowest stripe a
 * tombstone goes as well when no older run may hold its key: then nothing is left for it to hide.
 */
import { type EntryCursor, KIND_DELETE } from '../storage/entry-cursor.js';
import { compareBytes } from '../storage/key-bytes.js';
import { PACE_ENTRIES, type Pace } from './merge-pace.js';
import type { OlderKeys } from './older-keys.js';
import type { TableSeries } from './write-tables.js';

export interface LiveRules {
  /** Ascending sequence numbers of the open snapshots. */
  snapshots: number[];
  /** Wall time for judging expiry. */
  nowMs: number;
  older: OlderKeys;
  /** Where to stop: the first key that does not count. */
  to?: Uint8Array | undefined;
}

/** What went by. */
export interface LiveTally {
  seen: number;
  /** Kept for a snapshot alone, behind a newer version of their key. */
  shadowed: number;
}

/** Moves the versions that must stay from `from`, which is positioned, to `to`. */
export function copyLiveVersions(
  from: EntryCursor,
  rules: LiveRules,
  to: Pick<TableSeries, 'add'>,
  pace: Pace,
): LiveTally {
  const { snapshots, nowMs, older, to: end } = rules;
  const key = new KeyMemory();
  let keptStripe = 0;
  let seen = 0;
  let shadowed = 0;
  for (; from.valid; from.next()) {
    const isNewKey = key.changesTo(from.keyBytes, from.keyStart, from.keyLength);
    if (isNewKey && end !== undefined && !isBefore(from, end)) break;
    if ((++seen & (PACE_ENTRIES - 1)) === 0) pace.look(seen);
    const stripe = stripeOf(from.sequence, snapshots);
    if (!isNewKey && stripe === keptStripe) continue;
    keptStripe = stripe;
    const isExpired = from.expiresAtMs !== 0 && from.expiresAtMs <= nowMs;
    const isGone = isExpired || from.kind === KIND_DELETE;
    if (isGone && stripe === 0 && !mayHide(from, older)) continue;
    if (!isNewKey) shadowed++;
    to.add(
      from.keyBytes,
      from.keyStart,
      from.keyLength,
      from.sequence,
      isGone ? KIND_DELETE : from.kind,
      isGone ? 0 : from.expiresAtMs,
      from.valueBytes,
      from.valueStart,
      isGone ? 0 : from.valueLength,
    );
  }
  return { seen, shadowed };
}

function isBefore({ keyBytes, keyStart, keyLength }: EntryCursor, end: Uint8Array): boolean {
  return compareBytes(keyBytes, keyStart, keyLength, end, 0, end.length) < 0;
}

function mayHide({ keyBytes, keyStart, keyLength }: EntryCursor, older: OlderKeys): boolean {
  return older.mayHold(keyBytes, keyStart, keyLength);
}

/** How many open snapshots are too old to see this sequence: 0 = the lowest stripe. */
function stripeOf(sequence: number, snapshots: number[]): number {
  let low = 0;
  let high = snapshots.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (snapshots[middle]! < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Remembers the bytes of one key. */
class KeyMemory {
  #bytes = new Uint8Array(256);
  #length = -1;

  /** Takes the key up; true when it is another than before. */
  changesTo(bytes: Uint8Array, start: number, length: number): boolean {
    const known = this.#bytes;
    let i = 0;
    if (length === this.#length) {
      while (i < length && known[i] === bytes[start + i]) i++;
      if (i === length) return false;
    }
    if (length > known.length) {
      this.#bytes = new Uint8Array(length * 2);
      i = 0;
    }
    for (; i < length; i++) this.#bytes[i] = bytes[start + i]!;
    this.#length = length;
    return true;
  }
}
