/**
 * What a load knows about its own writes, to be held against what a store says after a crash.
 *
 * One writer per key, one call per key at a time, and a value that names its writer, its operation
 * and its key. So for every key there is a last state that is sure, and the attempts since then
 * whose outcome is unknown; a reader may find one of these and nothing else. What a reader has
 * found is sure from then on: a store must not take back what it has shown.
 */
import { SeededRandom } from './seeded-random.js';

/** Text that no compression makes small. */
const NOISE_BYTES = 48 * 1024;
const NOISE = Buffer.from(new SeededRandom(1).fill(new Uint8Array(NOISE_BYTES))).toString('base64');

export type Fault =
  /** An acknowledged write, or one that was read, is gone. */
  | 'lost'
  /** A value that nobody wrote under this key. */
  | 'phantom'
  /** A write that was answered as not applied is there. */
  | 'refused-yet-applied';

export interface Finding {
  key: string;
  fault: Fault;
  text: string;
}

/** One write on its way. */
export interface Attempt {
  readonly key: string;
  readonly op: number;
  /** Undefined for a delete. */
  readonly value: string | undefined;
}

/** A state of a key: the operation that made it, 0 for none. */
interface Version {
  op: number;
  isDelete: boolean;
}

interface KeyHistory {
  sure: Version;
  /** Of unknown outcome, later than `sure`. */
  maybe: Version[];
  refused: Set<number>;
}

export class KillOracle {
  acknowledged = 0;
  refused = 0;
  unknown = 0;
  /** Keys compared with a store. */
  checked = 0;
  readonly #writer: string;
  readonly #valueBytesMax: number;
  readonly #keys = new Map<string, KeyHistory>();
  readonly #unchecked = new Set<string>();
  #op = 0;

  /** Values get different lengths, up to about `valueBytesMax`, which is 32 KiB at most. */
  constructor(writer: string, valueBytesMax: number) {
    this.#writer = writer;
    this.#valueBytesMax = valueBytesMax;
  }

  /** Every key that was ever attempted. */
  get keys(): string[] {
    return [...this.#keys.keys()];
  }

  /** Keys attempted since they were last compared. */
  get uncheckedKeys(): string[] {
    return [...this.#unchecked];
  }

  /** Until `acknowledge` or `refuse` the outcome counts as unknown. */
  beginPut(key: string): Attempt {
    const op = this.#begin(key, false);
    return { key, op, value: this.valueOf(key, op) };
  }

  beginDelete(key: string): Attempt {
    return { key, op: this.#begin(key, true), value: undefined };
  }

  acknowledge({ key, op, value }: Attempt): void {
    const history = this.#history(key);
    history.sure = { op, isDelete: value === undefined };
    // One call at a time: whatever was unknown before has happened before, or never will.
    history.maybe = [];
    this.acknowledged++;
    this.unknown--;
  }

  refuse({ key, op }: Attempt): void {
    const history = this.#history(key);
    history.maybe = history.maybe.filter((version) => version.op !== op);
    history.refused.add(op);
    this.refused++;
    this.unknown--;
  }

  /** Compares what a reader found (undefined: no value) and takes it as sure. */
  check(key: string, found: string | undefined): Finding | undefined {
    const history = this.#history(key);
    const { sure, maybe } = history;
    this.#unchecked.delete(key);
    this.checked++;
    const match = [sure, ...maybe].find(({ op, isDelete }) =>
      isDelete ? found === undefined : found === this.valueOf(key, op),
    );
    if (match === undefined) return this.#finding(key, history, found);
    history.sure = match;
    history.maybe = [];
    return undefined;
  }

  /** The value of an operation; the same each time. */
  valueOf(key: string, op: number): string {
    const from = (op * 31) % (NOISE.length / 2);
    const length = (op * 7919) % this.#valueBytesMax;
    return `${this.#writer}:${op}:${key}:${NOISE.slice(from, from + length)}`;
  }

  #begin(key: string, isDelete: boolean): number {
    const op = ++this.#op;
    this.#history(key).maybe.push({ op, isDelete });
    this.#unchecked.add(key);
    this.unknown++;
    return op;
  }

  #history(key: string): KeyHistory {
    let history = this.#keys.get(key);
    if (history === undefined) {
      history = { sure: { op: 0, isDelete: true }, maybe: [], refused: new Set() };
      this.#keys.set(key, history);
    }
    return history;
  }

  #finding(key: string, history: KeyHistory, found: string | undefined): Finding {
    const { sure, maybe } = history;
    const allowed = [sure, ...maybe].map(nameOf).join(' or ');
    const text = `${key}: found ${found?.slice(0, 80) ?? 'nothing'}, expected ${allowed}`;
    return { key, fault: this.#faultOf(key, history, found), text };
  }

  #faultOf(key: string, history: KeyHistory, found: string | undefined): Fault {
    if (found === undefined) return 'lost';
    const op = Number(found.split(':')[1]);
    if (!(op > 0 && op <= this.#op) || found !== this.valueOf(key, op)) return 'phantom';
    if (history.refused.has(op)) return 'refused-yet-applied';
    return op < history.sure.op ? 'lost' : 'phantom';
  }
}

function nameOf({ op, isDelete }: Version): string {
  if (op === 0) return 'nothing (never written)';
  return isDelete ? `nothing (deleted by operation ${op})` : `operation ${op}`;
}
