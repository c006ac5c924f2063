/** Plans scans from requests and cursors, and bounds how many are in progress. */
import { StormError } from '../base/errors.js';
import type { KvScan, ScanRequest } from '../rpc/kv-operations.js';
import { busyError } from './call-errors.js';
import { hasWholeTag, isEmptyRange, justAbove, rangeOf } from './key-range.js';
import type { RouterLimits } from './router-types.js';
import { Scan } from './scan.js';
import { decodeCursor, type ScanPosition } from './scan-cursor.js';
import { ScanLane, type ScanShape } from './scan-lane.js';
import type { ShardCalls } from './shard-calls.js';

const PAGE_BYTES_DEFAULT = 64 * 1024;
export const PAGE_BYTES_MAX = 1024 * 1024;

export class Scans {
  readonly #calls: ShardCalls;
  readonly #limits: RouterLimits;
  #open = 0;

  constructor(calls: ShardCalls, limits: RouterLimits) {
    this.#calls = calls;
    this.#limits = limits;
  }

  /** Throws INVALID_ARGUMENT, or RESOURCE_EXHAUSTED where too many are in progress. */
  start(request: ScanRequest): KvScan {
    const { limit = 0, bytesMax = 0 } = request;
    for (const [name, number] of Object.entries({ limit, bytesMax })) {
      if (Number.isSafeInteger(number) && number >= 0) continue;
      const text = `A scan's "${name}" must be a whole number from 0 (no limit) on: found ${number}`;
      throw new StormError('INVALID_ARGUMENT', text);
    }
    const { shape, lanes } = this.#planOf(request);
    if (this.#open >= this.#limits.scansMax) {
      const why = `${this.#limits.scansMax} scans are in progress`;
      throw busyError(why, this.#limits.busyRetryAfterMs);
    }
    this.#open++;
    return new Scan({
      shape,
      lanes,
      slotMapEpoch: this.#calls.slotMapEpoch,
      limit: limit === 0 ? Infinity : limit,
      bytesMax: Math.min(bytesMax === 0 ? PAGE_BYTES_DEFAULT : bytesMax, PAGE_BYTES_MAX),
      onOver: () => {
        this.#open--;
      },
    });
  }

  #planOf(request: ScanRequest): { shape: ScanShape; lanes: ScanLane[] } {
    const { from, to, prefix, reverse = false, keysOnly = false, cursor = '' } = request;
    const { keyBytesMax } = this.#limits;
    const range = rangeOf(from, to, prefix, keyBytesMax);
    if (cursor !== '') {
      const position = decodeCursor(cursor, keyBytesMax, this.#calls.shardCount);
      checkSameScan(request, range, position);
      return this.#resume(position, keysOnly);
    }
    const shape = { ...range, reverse, keysOnly };
    if (isEmptyRange(range)) return { shape, lanes: [] };
    const shards = this.#shardsOf(prefix);
    return { shape, lanes: shards.map((shard) => new ScanLane(this.#calls, shard, shape, 0)) };
  }

  /** One shard, where the prefix names a whole hash tag. */
  #shardsOf(prefix: Uint8Array | undefined): number[] {
    if (prefix !== undefined && hasWholeTag(prefix)) {
      return [this.#calls.ownerOf(prefix, 0, prefix.length)];
    }
    return Array.from({ length: this.#calls.shardCount }, (_, shard) => shard);
  }

  #resume(position: ScanPosition, keysOnly: boolean): { shape: ScanShape; lanes: ScanLane[] } {
    const { reverse, from, to, lastKey, slotMapEpoch, shards, snapshotIds } = position;
    const whole = { from, to, reverse, keysOnly };
    const rest = reverse ? { ...whole, to: lastKey } : { ...whole, from: justAbove(lastKey) };
    const isSameMap = slotMapEpoch === this.#calls.slotMapEpoch;
    if (!isSameMap || shards.some((shard) => shard >= this.#calls.shardCount)) {
      const text = 'The cursor was made under another map of slots; begin without it';
      throw new StormError('FAILED_PRECONDITION', text);
    }
    const lanes = shards.map((shard, i) => new ScanLane(this.#calls, shard, rest, snapshotIds[i]));
    return { shape: whole, lanes };
  }
}

/** A request may repeat what the cursor says, and not say something else. */
function checkSameScan(
  { from, to, prefix, reverse }: ScanRequest,
  range: { from: Uint8Array | undefined; to: Uint8Array | undefined },
  position: ScanPosition,
): void {
  const isSilent = [from, to, prefix].every((bound) => bound === undefined || bound.length === 0);
  const isSame = isEqual(range.from, position.from) && isEqual(range.to, position.to);
  if ((isSilent || isSame) && (reverse !== true || position.reverse)) return;
  const text = 'The cursor belongs to a scan of other bounds or direction: repeat those or none';
  throw new StormError('INVALID_ARGUMENT', text);
}

function isEqual(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(a, b) === 0;
}
