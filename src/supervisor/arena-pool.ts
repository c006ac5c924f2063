/**
 * The arenas of all MemTables: a fixed number, allocated at start and lent to the shards' lives.
 * Main thread only.
 *
 * - An arena is free, being touched, or lent to one life.
 * - Fair: wishes are granted in their order, but nobody gets a second arena as long as what is free
 *   is needed for those who have none. So a restarted shard always gets its first one back.
 * - When a life dies all its arenas come back, except those that a running job still reads: they
 *   come back when it ends (`unpin`).
 * - Fresh memory costs a page fault per 4 KiB; spare arenas are touched one at a time in the
 *   background.
 */
import { assert } from '../base/assert.js';
import { isSameMemory } from './same-memory.js';

/** One life of a shard, as a borrower. */
export interface ArenaBorrower {
  readonly shard: number;
  grantArena(arena: SharedArrayBuffer): void;
}

export interface ArenaPoolOptions {
  count: number;
  arenaBytes: number;
  shardCount: number;
  /** Makes the arena's pages present, on another thread; settles when it no longer uses it. */
  touch: (arena: SharedArrayBuffer) => Promise<unknown>;
}

interface Arena {
  readonly memory: SharedArrayBuffer;
  isWarm: boolean;
  isTouched: boolean;
  borrower: ArenaBorrower | undefined;
  /** Running jobs that read it. */
  pins: number;
}

export class ArenaPool {
  readonly #options: ArenaPoolOptions;
  readonly #arenas: Arena[];
  /** Who waits for an arena, longest first. */
  #wishes: ArenaBorrower[] = [];
  #mayTouch = false;
  #isTouching = false;
  #isClosed = false;

  constructor(options: ArenaPoolOptions) {
    assert(options.count >= options.shardCount, 'there is an arena for every shard');
    this.#options = options;
    this.#arenas = Array.from({ length: options.count }, () => ({
      memory: new SharedArrayBuffer(options.arenaBytes),
      isWarm: false,
      isTouched: false,
      borrower: undefined,
      pins: 0,
    }));
  }

  get freeCount(): number {
    return this.#arenas.filter(isFree).length;
  }

  lentCount(borrower: ArenaBorrower): number {
    return this.#arenas.filter((arena) => arena.borrower === borrower).length;
  }

  /**
   * What a new life begins with: two arenas where there are two for every shard, else one; fewer
   * while the others are in use, and then the rest is granted later.
   */
  lendFirst(borrower: ArenaBorrower): SharedArrayBuffer[] {
    const { count, shardCount } = this.#options;
    const wanted = count >= 2 * shardCount ? 2 : 1;
    const lent: SharedArrayBuffer[] = [];
    while (lent.length < wanted && this.#mayLendTo(borrower)) lent.push(this.#lend(borrower));
    if (lent.length === 0) this.#wishes.push(borrower);
    return lent;
  }

  /** From now on spare arenas are touched, one after the other. */
  startTouching(): void {
    this.#mayTouch = true;
    this.#touchNext();
  }

  /** Grants an arena now or when one is free. */
  want(borrower: ArenaBorrower): void {
    this.#wishes.push(borrower);
    this.#serve();
  }

  /** A borrower hands an arena back. One that it was not lent is dropped; false then. */
  giveBack(borrower: ArenaBorrower, memory: SharedArrayBuffer): boolean {
    const arena = this.#find(borrower, memory);
    if (arena === undefined) return false;
    arena.borrower = undefined;
    this.#serve();
    return true;
  }

  /**
   * A job of the borrower begins to read an arena. The returned function says that it ended;
   * undefined when the arena is not one of the borrower's.
   */
  pin(borrower: ArenaBorrower, memory: SharedArrayBuffer): (() => void) | undefined {
    const arena = this.#find(borrower, memory);
    if (arena === undefined) return undefined;
    arena.pins++;
    let isPinned = true;
    return () => {
      if (!isPinned) return;
      isPinned = false;
      arena.pins--;
      this.#serve();
    };
  }

  /** The borrower is dead: all it had comes back, what a job reads as soon as the job ends. */
  reclaim(borrower: ArenaBorrower): void {
    this.#wishes = this.#wishes.filter((wish) => wish !== borrower);
    for (const arena of this.#arenas) {
      if (arena.borrower === borrower) arena.borrower = undefined;
    }
    this.#serve();
  }

  /** Nothing is lent or touched from now on. */
  close(): void {
    this.#isClosed = true;
    this.#wishes = [];
  }

  #serve(): void {
    if (this.#isClosed) return;
    let at = 0;
    while (at < this.#wishes.length) {
      const borrower = this.#wishes[at];
      if (borrower === undefined || !this.#mayLendTo(borrower)) {
        at++;
        continue;
      }
      this.#wishes.splice(at, 1);
      borrower.grantArena(this.#lend(borrower));
      // Whoever was passed over may be served now that this one has an arena.
      at = 0;
    }
    this.#touchNext();
  }

  #mayLendTo(borrower: ArenaBorrower): boolean {
    const free = this.freeCount;
    if (this.#isClosed || free === 0) return false;
    const isFirst = this.lentCount(borrower) === 0;
    return isFirst || free > this.#shardsWithoutArena();
  }

  #shardsWithoutArena(): number {
    const owners = new Set<number>();
    for (const { borrower } of this.#arenas) {
      if (borrower !== undefined) owners.add(borrower.shard);
    }
    return this.#options.shardCount - owners.size;
  }

  /** A touched arena where there is one. */
  #lend(borrower: ArenaBorrower): SharedArrayBuffer {
    const free = this.#arenas.filter(isFree);
    const arena = free.find(({ isWarm }) => isWarm) ?? free[0];
    assert(arena !== undefined, 'an arena is lent only where one is free');
    arena.borrower = borrower;
    // Its borrower touches it by using it.
    arena.isWarm = true;
    return arena.memory;
  }

  #touchNext(): void {
    if (!this.#mayTouch || this.#isTouching || this.#isClosed) return;
    if (this.freeCount <= this.#shardsWithoutArena()) return;
    const arena = this.#arenas.find((candidate) => isFree(candidate) && !candidate.isWarm);
    if (arena === undefined) return;
    this.#isTouching = true;
    arena.isTouched = true;
    const done = () => {
      // Also after a failure: it would fail again, and the arena works untouched too.
      arena.isWarm = true;
      arena.isTouched = false;
      this.#isTouching = false;
      this.#serve();
    };
    this.#options.touch(arena.memory).then(done, done);
  }

  #find(borrower: ArenaBorrower, memory: SharedArrayBuffer): Arena | undefined {
    return this.#arenas.find(
      (arena) => arena.borrower === borrower && isSameMemory(arena.memory, memory),
    );
  }
}

function isFree(arena: Arena): boolean {
  return arena.borrower === undefined && arena.pins === 0 && !arena.isTouched;
}
