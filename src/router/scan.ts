/**
 * An ordered scan over shards: a k-way merge of their pages. Each shard is asked for a page only
 * when its former one is used up and the reader wants more, so a scan holds one page per shard and
 * the page it is making, whatever its reader does. Owner: the router's thread.
 */
import { assert } from '../base/assert.js';
import type { StormError } from '../base/errors.js';
import type { KvScan, ScanDone, ScanEntry } from '../rpc/kv-operations.js';
import { encodeCursor } from './scan-cursor.js';
import type { ScanLane, ScanShape } from './scan-lane.js';

/** What is asked of a shard at once. */
const LANE_PAGE_BYTES = 64 * 1024;
const LANE_ENTRIES_MAX = 0xffff_ffff;

export interface ScanPlan {
  shape: ScanShape;
  lanes: readonly ScanLane[];
  slotMapEpoch: number;
  /** Entries in all; Infinity = no limit. */
  limit: number;
  /** Of keys and values in a page. */
  bytesMax: number;
  /** Called once, when nothing more will be asked. */
  onOver: () => void;
}

export class Scan implements KvScan {
  readonly #plan: ScanPlan;
  #left: number;
  #entries: ScanEntry[] = [];
  #bytes = 0;
  #lastKey: Buffer | undefined;
  #timeoutMs = 0;
  #done: ScanDone | undefined;
  /** Pages of shards that are being fetched, and the first error of them. */
  #fetching = 0;
  #error: StormError | undefined;
  #isOver = false;

  constructor(plan: ScanPlan) {
    this.#plan = plan;
    this.#left = plan.limit;
  }

  nextPage(timeoutMs: number, done: ScanDone): void {
    assert(
      this.#done === undefined && !this.#isOver,
      'one page at a time, and none after the last',
    );
    this.#done = done;
    this.#timeoutMs = timeoutMs;
    this.#entries = [];
    this.#bytes = 0;
    this.#advance();
  }

  close(): void {
    this.#done = undefined;
    this.#finish(false);
  }

  /** Fills the page as far as the lanes have entries; then it is answered or pages are fetched. */
  #advance(): void {
    const { bytesMax } = this.#plan;
    for (;;) {
      if (this.#fetchPages()) return;
      const lane = this.#lowest();
      if (lane === undefined) {
        this.#answer(true);
        return;
      }
      if (this.#left === 0 || this.#bytes >= bytesMax) {
        this.#answer(false);
        return;
      }
      this.#take(lane);
    }
  }

  /** Fetches the page of every lane that needs one; false when none does. */
  #fetchPages(): boolean {
    const needing = this.#plan.lanes.filter((lane) => lane.needsPage);
    if (needing.length === 0) return false;
    this.#fetching = needing.length;
    // One more than is wanted tells whether there is more.
    const limit = Math.min(LANE_ENTRIES_MAX, this.#left + 1);
    for (const lane of needing) {
      lane.fetch(limit, LANE_PAGE_BYTES, this.#timeoutMs, (error) => this.#fetched(lane, error));
    }
    return true;
  }

  #fetched(lane: ScanLane, error: StormError | undefined): void {
    this.#error ??= error;
    // Its reader went away meanwhile: only now is the snapshot known that may have been opened.
    if (this.#isOver) lane.end();
    if (--this.#fetching > 0 || this.#isOver) return;
    if (this.#error === undefined) this.#advance();
    else this.#fail(this.#error);
  }

  /** The lane whose entry comes first. */
  #lowest(): ScanLane | undefined {
    const { lanes, shape } = this.#plan;
    let lowest: ScanLane | undefined;
    for (const lane of lanes) {
      if (!lane.hasEntry) continue;
      if (lowest === undefined) lowest = lane;
      else {
        const order = compareKeys(lane, lowest);
        if (shape.reverse ? order > 0 : order < 0) lowest = lane;
      }
    }
    return lowest;
  }

  #take(lane: ScanLane): void {
    const { bytes, items } = lane;
    const key = bytes.subarray(items.keyStart, items.keyStart + items.keyLength);
    const value = items.hasValue
      ? bytes.subarray(items.valueStart, items.valueStart + items.valueLength)
      : undefined;
    const { sequence: version, expiresAtMs } = items;
    this.#entries.push({ key, value, version, expiresAtMs });
    this.#bytes += key.length + (value?.length ?? 0);
    this.#left--;
    this.#lastKey = key;
    lane.step();
  }

  #answer(isExhausted: boolean): void {
    const done = this.#done;
    const { lanes } = this.#plan;
    const isLast = isExhausted || this.#left === 0;
    const page = {
      entries: this.#entries,
      cursor: isExhausted ? undefined : this.#cursor(),
      freshSnapshot: lanes.some((lane) => lane.isFresh),
      isLast,
    };
    this.#done = undefined;
    this.#entries = [];
    // A cursor that is given out needs the snapshots; they end by themselves if it is not used.
    if (isLast) this.#finish(!isExhausted);
    done?.(undefined, page);
  }

  #fail(error: StormError): void {
    const done = this.#done;
    this.#done = undefined;
    // Tried again from the last cursor, the scan is still on its snapshots.
    this.#finish(true);
    done?.(error, undefined);
  }

  #finish(keepSnapshots: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const lane of this.#plan.lanes) if (!keepSnapshots || lane.isExhausted) lane.end();
    this.#plan.onOver();
  }

  #cursor(): string | undefined {
    const { shape, lanes, slotMapEpoch } = this.#plan;
    if (this.#lastKey === undefined) return undefined;
    return encodeCursor({
      ...shape,
      lastKey: this.#lastKey,
      snapshotIds: lanes.map((lane) => (lane.isExhausted ? undefined : lane.snapshotId)),
      shards: lanes.map(({ shard }) => shard),
      slotMapEpoch,
    });
  }
}

function compareKeys(a: ScanLane, b: ScanLane): number {
  const { keyStart, keyLength } = a.items;
  const other = b.items;
  const otherEnd = other.keyStart + other.keyLength;
  return a.bytes.compare(b.bytes, other.keyStart, otherEnd, keyStart, keyStart + keyLength);
}
