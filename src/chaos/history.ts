/**
 * What clients did and were told, in the order in which it happened. Events are counted, not timed:
 * all clients live on one event loop, so the count is their real-time order, and exact.
 *
 * A value is known by its id: every write has another one, so a read names the very write that it
 * saw. Id 0 stands for "no value".
 */

/** What the caller knows: done, refused by its condition, surely not done, perhaps done. */
export type Outcome = 'ok' | 'conflict' | 'refused' | 'unknown';

export const NO_VALUE = 0;
/** The end of a call that nobody heard of. */
export const OPEN = Number.POSITIVE_INFINITY;

export interface Operation {
  readonly kind: 'set' | 'delete' | 'get';
  readonly key: string;
  /** Of a set, what it writes; of a get, what it found; of a delete, none. */
  readonly value: number;
  /** The value that a conditional write asks for; undefined = writes whatever there is. */
  readonly expected: number | undefined;
  readonly outcome: Outcome;
  /** That the answer told, of a conflict the present one; undefined = it told none. */
  readonly version: number | undefined;
  /** Event numbers. `returned` is OPEN while the outcome is unknown. */
  readonly invoked: number;
  readonly returned: number;
  /** Which life of the server it was sent to. */
  readonly life: number;
  /** The event from which on it cannot take effect any more, because that life was over. */
  lapses: number;
}

/** Numbers events, and keeps the operations of one history. */
export class History {
  #operations: Operation[] = [];
  /** By life. */
  readonly #lapses = new Map<number, number>();
  #events = 0;

  get size(): number {
    return this.#operations.length;
  }

  /** The number of the next event. */
  next(): number {
    return ++this.#events;
  }

  add(operation: Omit<Operation, 'lapses'>): void {
    this.#operations.push({ ...operation, lapses: OPEN });
  }

  /**
   * The process of this life is gone and the next one has recovered: whatever was sent to it has
   * taken effect by now, or never will. Clients call the next life only after this.
   */
  lapse(life: number): void {
    this.#lapses.set(life, this.next());
  }

  /** All operations since the last call, by key; they belong to the caller. */
  take(): Map<string, Operation[]> {
    const byKey = new Map<string, Operation[]>();
    for (const operation of this.#operations) {
      operation.lapses = this.#lapses.get(operation.life) ?? OPEN;
      const found = byKey.get(operation.key);
      if (found === undefined) byKey.set(operation.key, [operation]);
      else found.push(operation);
    }
    this.#operations = [];
    return byKey;
  }
}
