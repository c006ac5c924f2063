/**
 * Blocks in memory for the tables of one shard: those that had to be read or decompressed. What is
 * mapped and raw needs no cache. Belongs to the shard's thread.
 *
 * A clock: blocks lie in slots, a hand goes round and takes away what was not used since it last
 * came by. A block comes in unmarked, so one that is read only once leaves first.
 *
 * Invariant: `bytes` ≤ `bytesMax`. Bytes that a cursor still looks at when their block leaves live
 * on with the cursor.
 */

/** What a block costs besides its bytes: array header, slot, entry in its table's map. */
const BLOCK_OVERHEAD_BYTES = 160;
/** A block so large would push out too much for its own use. */
const BLOCK_SHARE_MAX = 1 / 4;

export interface BlockCacheStats {
  hits: number;
  misses: number;
  /** Blocks that left for others. */
  evictions: number;
  /** Overhead included. */
  bytes: number;
  blocks: number;
}

export class BlockCache {
  readonly bytesMax: number;
  readonly #slots: (Slot | undefined)[] = [];
  readonly #free: number[] = [];
  #hand = 0;
  #bytes = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  /** 0 bytes: nothing is kept. */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get stats(): BlockCacheStats {
    return {
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#evictions,
      bytes: this.#bytes,
      blocks: this.#slots.length - this.#free.length,
    };
  }

  /** A place for the blocks of one more table; its reader closes it. */
  openTable(): CachedTable {
    return new CachedTable(this);
  }

  /** For CachedTable. */
  get(slotOf: ReadonlyMap<number, number>, block: number): Uint8Array | undefined {
    const index = slotOf.get(block);
    const slot = index === undefined ? undefined : this.#slots[index];
    if (slot === undefined) {
      this.#misses++;
      return undefined;
    }
    this.#hits++;
    slot.isUsed = true;
    return slot.content;
  }

  /** For CachedTable. */
  put(slotOf: Map<number, number>, block: number, content: Uint8Array): void {
    const sizeBytes = content.length + BLOCK_OVERHEAD_BYTES;
    if (sizeBytes > this.bytesMax * BLOCK_SHARE_MAX || slotOf.has(block)) return;
    while (this.#bytes + sizeBytes > this.bytesMax) this.#evictOne();
    const index = this.#free.pop() ?? this.#slots.length;
    this.#slots[index] = { slotOf, block, content, isUsed: false };
    slotOf.set(block, index);
    this.#bytes += sizeBytes;
  }

  /** For CachedTable. */
  drop(slotOf: Map<number, number>): void {
    for (const index of slotOf.values()) this.#vacate(index);
    slotOf.clear();
  }

  #evictOne(): void {
    for (;;) {
      const index = this.#hand;
      this.#hand = (index + 1) % this.#slots.length;
      const slot = this.#slots[index];
      if (slot === undefined) continue;
      if (slot.isUsed) {
        slot.isUsed = false;
        continue;
      }
      slot.slotOf.delete(slot.block);
      this.#vacate(index);
      this.#evictions++;
      return;
    }
  }

  #vacate(index: number): void {
    const slot = this.#slots[index];
    if (slot === undefined) return;
    this.#bytes -= slot.content.length + BLOCK_OVERHEAD_BYTES;
    this.#slots[index] = undefined;
    this.#free.push(index);
  }
}

interface Slot {
  /** Of the block's table: block number → slot. */
  readonly slotOf: Map<number, number>;
  readonly block: number;
  readonly content: Uint8Array;
  /** Since the hand last came by. */
  isUsed: boolean;
}

/** The blocks of one table in a cache. */
export class CachedTable {
  readonly #cache: BlockCache;
  readonly #slotOf = new Map<number, number>();

  constructor(cache: BlockCache) {
    this.#cache = cache;
  }

  /** The block's content; not to be changed. */
  get(block: number): Uint8Array | undefined {
    return this.#cache.get(this.#slotOf, block);
  }

  /** Keeps `content`, which nobody may change from now on. */
  put(block: number, content: Uint8Array): void {
    this.#cache.put(this.#slotOf, block, content);
  }

  /** Drops the table's blocks. */
  close(): void {
    this.#cache.drop(this.#slotOf);
  }
}
