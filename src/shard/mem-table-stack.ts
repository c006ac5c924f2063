/**
 * The active MemTable and the frozen ones that wait for their flush. There may be no active one for
 * a while, when the pool has no arena: then nothing can be written, and reads go on.
 */
import { assert } from '../base/assert.js';
import type { LookupResult } from '../storage/lookup.js';
import type { ArenaPort } from './engine-env.js';
import { MemTable } from './mem-table.js';
import { type MemTableCursor, MemTableOrder } from './mem-table-order.js';

export class MemTableStack {
  readonly #arenas: ArenaPort;
  /** Oldest first. */
  readonly #frozen: MemTable[];
  #active: MemTable | undefined;
  readonly #orders = new WeakMap<MemTable, MemTableOrder>();

  /** `recovered`: what the replay filled, oldest first; the last one goes on as the active one. */
  constructor(arenas: ArenaPort, recovered: MemTable[]) {
    this.#arenas = arenas;
    this.#frozen = recovered.filter(({ entryCount }) => entryCount > 0);
    this.#active = this.#frozen.pop();
    for (const empty of recovered.filter(({ entryCount }) => entryCount === 0)) {
      this.#arenas.give(empty.arena);
    }
    if (this.#active === undefined) this.#takeActive();
  }

  /** Whether there is an active MemTable, taking an arena for one if need be. */
  ensureActive(): boolean {
    if (this.#active === undefined) this.#takeActive();
    return this.#active !== undefined;
  }

  get active(): MemTable {
    assert(this.#active !== undefined, 'there is an active MemTable');
    return this.#active;
  }

  /** How full the active MemTable is, from 0 to 1; 1 where there is none. */
  get activeFill(): number {
    return this.#active?.fill ?? 1;
  }

  /** Oldest first. */
  get frozen(): readonly MemTable[] {
    return this.#frozen;
  }

  /** Whether `freeze` would find an arena for the next MemTable. */
  get canFreeze(): boolean {
    return this.#arenas.atHand;
  }

  get bytes(): number {
    return this.#frozen.reduce((sum, t) => sum + t.usedBytes, this.#active?.usedBytes ?? 0);
  }

  /** Ends the life of the active MemTable as such; a new one takes its place if it can. */
  freeze(): void {
    if (this.#active !== undefined) this.#frozen.push(this.#active);
    this.#active = undefined;
    this.#takeActive();
  }

  /** The oldest frozen MemTable is in tables now. */
  dropOldest(): void {
    const table = this.#frozen.shift();
    assert(table !== undefined, 'there is a frozen MemTable');
    this.#arenas.give(table.arena);
  }

  /** Finds the newest version at or below `snapshot`, tombstones included. */
  get(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    snapshot: number,
    into: LookupResult,
  ): boolean {
    const active = this.#active;
    // An empty one would still cost a wait for the memory of its index.
    if (active !== undefined && active.entryCount > 0) {
      if (active.get(key, keyStart, keyLength, snapshot, into)) return true;
    }
    for (let i = this.#frozen.length - 1; i >= 0; i--) {
      if (this.#frozen[i]?.get(key, keyStart, keyLength, snapshot, into) === true) return true;
    }
    return false;
  }

  /**
   * Sorts one more chunk of keys where one is waiting; true when `cursors` has only short tails
   * left to sort.
   */
  prepareOrder(): boolean {
    return this.#all().every((table) => this.#orderOf(table).step());
  }

  /** Cursors that together show every entry, newest MemTable first; good until the next write. */
  cursors(): MemTableCursor[] {
    return this.#all().flatMap((table) => this.#orderOf(table).cursors());
  }

  /** Newest first. */
  #all(): MemTable[] {
    const frozen = [...this.#frozen].reverse();
    return this.#active === undefined ? frozen : [this.#active, ...frozen];
  }

  #orderOf(table: MemTable): MemTableOrder {
    let order = this.#orders.get(table);
    if (order === undefined) {
      order = new MemTableOrder(table);
      this.#orders.set(table, order);
    }
    return order;
  }

  #takeActive(): void {
    const arena = this.#arenas.take();
    if (arena !== undefined) this.#active = new MemTable(arena);
  }
}
