/**
 * What keys that are written again and again may hold. Every write has a number, rising in the
 * order in which writes begin; its value carries it. When a write is acknowledged, every write of
 * its key that was over before it began is superseded for good, so each key has a floor: the least
 * number that it may still show. Writes whose outcome is not known, or that were repeated, may take
 * effect at any time: their numbers are always allowed.
 */
export class KeyLedger {
  /** By key: 0 = nothing was acknowledged yet. */
  readonly #floors: Float64Array;
  /** Numbers of the writes under way, by key; rising. */
  readonly #open = new Map<number, number[]>();
  readonly #perhaps = new Set<number>();
  #last = 0;

  constructor(keys: number) {
    this.#floors = new Float64Array(keys);
  }

  /** A write of the key begins. Returns its number, and the floor that it brings if it succeeds. */
  begin(key: number): { number: number; floor: number } {
    const number = ++this.#last;
    const open = this.#open.get(key);
    if (open === undefined) {
      this.#open.set(key, [number]);
      return { number, floor: number };
    }
    const [floor = number] = open;
    open.push(number);
    return { number, floor };
  }

  /** The write is over. `isSure`: it took effect, or did not, once and for all. */
  end(key: number, write: { number: number; floor: number }, isDone: boolean, isSure: boolean) {
    const open = this.#open.get(key);
    const at = open?.indexOf(write.number) ?? -1;
    if (open !== undefined && at >= 0) open.splice(at, 1);
    if (open?.length === 0) this.#open.delete(key);
    if (!isSure) this.#perhaps.add(write.number);
    if (isDone) this.#floors[key] = Math.max(this.floorOf(key), write.floor);
  }

  /** The least number that the key may show; 0 = it may also have no value of this run. */
  floorOf(key: number): number {
    return this.#floors[key] ?? 0;
  }

  /** Whether the key may show this write, to a reader who began when its floor was `floor`. */
  mayShow(number: number, floor: number): boolean {
    return (number >= floor && number <= this.#last) || this.#perhaps.has(number);
  }
}
