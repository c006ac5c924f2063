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
  readonly #slots: (Place | undefined)[] = [];
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

  /** A place for the blocks of one more table, which has so many; its reader closes it. */
  openTable(blockCount: number): CachedTable {
    return new CachedTable(this, blockCount);
  }

  /** For CachedTable. */
  noteHit(): void {
    this.#hits++;
  }

  /** For CachedTable. */
  noteMiss(): void {
    this.#misses++;
  }

  /** For CachedTable: a slot for a block of the table that has none, or −1 if it is not kept. */
  occupy(table: CachedTable, block: number, contentBytes: number): number {
    const sizeBytes = contentBytes + BLOCK_OVERHEAD_BYTES;
    if (sizeBytes > this.bytesMax * BLOCK_SHARE_MAX) return -1;
    while (this.#bytes + sizeBytes > this.bytesMax) this.#evictOne();
    const index = this.#free.pop() ?? this.#slots.length;
    this.#slots[index] = { table, block, sizeBytes };
    this.#bytes += sizeBytes;
    return index;
  }

  /** For CachedTable: its block in that slot is gone. */
  vacate(index: number): void {
    const slot = this.#slots[index];
    if (slot === undefined) return;
    this.#bytes -= slot.sizeBytes;
    this.#slots[index] = undefined;
    this.#free.push(index);
  }

  #evictOne(): void {
    for (;;) {
      const index = this.#hand;
      this.#hand = (index + 1) % this.#slots.length;
      const slot = this.#slots[index];
      if (slot === undefined || slot.table.wasUsed(slot.block)) continue;
      slot.table.forget(slot.block);
      this.#evictions++;
      return;
    }
  }
}

/** What lies in a slot. */
interface Place {
  readonly table: CachedTable;
  readonly block: number;
  readonly sizeBytes: number;
}

const NO_SLOT = -1;

/**
 * The blocks of one table in a cache. They lie here, by number, rather than in the cache's slots: a
 * hit goes straight to the block, and every step less is a wait for memory less.
 */
export class CachedTable {
  readonly #cache: BlockCache;
  readonly #contents: (Uint8Array | undefined)[];
  readonly #slots: Int32Array;
  /** 1 = since the cache's hand last came by. */
  readonly #used: Uint8Array;

  constructor(cache: BlockCache, blockCount: number) {
    this.#cache = cache;
    this.#contents = new Array<Uint8Array | undefined>(blockCount).fill(undefined);
    this.#slots = new Int32Array(blockCount).fill(NO_SLOT);
    this.#used = new Uint8Array(blockCount);
  }

  /** The block's content; not to be changed. Where it is not there and needed, note a miss. */
  get(block: number): Uint8Array | undefined {
    const content = this.#contents[block];
    if (content === undefined) return undefined;
    this.#used[block] = 1;
    this.#cache.noteHit();
    return content;
  }

  /** A block had to be read or decompressed. */
  noteMiss(): void {
    this.#cache.noteMiss();
  }

  /** Keeps `content`, which nobody may change from now on. */
  put(block: number, content: Uint8Array): void {
    if (this.#slots[block] !== NO_SLOT) return;
    const slot = this.#cache.occupy(this, block, content.length);
    if (slot === NO_SLOT) return;
    this.#slots[block] = slot;
    this.#contents[block] = content;
    this.#used[block] = 0;
  }

  /** Drops the table's blocks. */
  close(): void {
    for (let block = 0; block < this.#slots.length; block++) {
      if (this.#slots[block] !== NO_SLOT) this.forget(block);
    }
  }

  /** For the cache: whether the block was used since the last time this was asked. */
  wasUsed(block: number): boolean {
    const wasUsed = this.#used[block] !== 0;
    this.#used[block] = 0;
    return wasUsed;
  }

  /** For the cache: drops the block. */
  forget(block: number): void {
    this.#cache.vacate(this.#slots[block]!);
    this.#slots[block] = NO_SLOT;
    this.#contents[block] = undefined;
  }
}
