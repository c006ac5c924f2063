/**
 * Tables that somebody copies: what merges put aside is not unlinked before the last pin on it is
 * gone. A pin costs disk space, so it ends by itself. Owned by the shard's thread; when its life
 * ends, the next opening sweeps what was put aside.
 */

interface Pin {
  readonly tables: ReadonlySet<number>;
  untilMs: number;
}

export class TablePins {
  readonly #pins = new Map<string, Pin>();
  /** Put aside, and why not yet unlinked. */
  readonly #waiting = new Map<number, () => void>();

  pin(name: string, tables: Iterable<number>, untilMs: number): void {
    this.#pins.set(name, { tables: new Set(tables), untilMs });
    this.#removeUnpinned();
  }

  /** False when there is no such pin any more. */
  renew(name: string, untilMs: number): boolean {
    const pin = this.#pins.get(name);
    if (pin !== undefined) pin.untilMs = untilMs;
    return pin !== undefined;
  }

  unpin(name: string): void {
    if (this.#pins.delete(name)) this.#removeUnpinned();
  }

  /** Nothing needs the table but pins: `remove` is called now, or after the last of them. */
  letGo(table: number, remove: () => void): void {
    if (this.#isPinned(table)) this.#waiting.set(table, remove);
    else remove();
  }

  /** Ends the pins whose time is over. */
  enforce(nowMs: number): void {
    if (this.#pins.size === 0) return;
    for (const [name, { untilMs }] of this.#pins) if (nowMs >= untilMs) this.unpin(name);
  }

  #isPinned(table: number): boolean {
    for (const { tables } of this.#pins.values()) if (tables.has(table)) return true;
    return false;
  }

  #removeUnpinned(): void {
    for (const [table, remove] of this.#waiting) {
      if (this.#isPinned(table)) continue;
      this.#waiting.delete(table);
      remove();
    }
  }
}
