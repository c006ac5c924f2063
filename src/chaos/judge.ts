/**
 * Decides whether what clients saw keeps the promises, for all keys of a run, window by window, and
 * says in words what was broken. Invariants by name:
 *
 * - phantom: a value that nobody wrote under this key
 * - refused-applied: a value whose write was answered "not applied"
 * - lost: no value, or an older one, where an acknowledged write must be
 * - resurrected: a value that an acknowledged delete had removed
 * - version: versions of a key went back, or one version had two values
 * - torn-batch: the keys of one tag, read at one moment, show more than one batch
 * - order: any other answer that no order of the calls explains
 * - undecided: the search for such an order was given up; nothing is proven, which is a failure
 */
import { NO_VALUE, OPEN, type Operation } from './history.js';
import { KeyChecker } from './linearizability.js';

export const INVARIANTS = [
  'phantom',
  'refused-applied',
  'lost',
  'resurrected',
  'version',
  'torn-batch',
  'order',
  'undecided',
  'liveness',
] as const;
export type Invariant = (typeof INVARIANTS)[number];

export interface Violation {
  readonly invariant: Invariant;
  readonly text: string;
}

interface KeyState {
  readonly checker: KeyChecker;
  /** The highest version that an answer told so far. */
  version: number;
  /** What the newest version that was told holds. */
  valueOfVersion: number;
  isBroken: boolean;
}

export interface JudgeOptions {
  /** See KeyChecker. */
  stepsMax?: number;
}

export class Judge {
  readonly violations: Violation[] = [];
  /** Operations that were judged. */
  checked = 0;
  readonly #keys = new Map<string, KeyState>();
  readonly #refused = new Set<number>();
  readonly #options: JudgeOptions;

  constructor(options: JudgeOptions = {}) {
    this.#options = options;
  }

  /** For what clients find by themselves. */
  report(invariant: Invariant, text: string): void {
    this.violations.push({ invariant, text });
  }

  /** The operations of a window that has ended: nothing is in flight. */
  judge(window: ReadonlyMap<string, readonly Operation[]>): void {
    for (const [key, operations] of window) {
      this.checked += operations.length;
      let state = this.#keys.get(key);
      if (state === undefined) {
        const checker = new KeyChecker(this.#options.stepsMax);
        state = { checker, version: 0, valueOfVersion: NO_VALUE, isBroken: false };
        this.#keys.set(key, state);
      }
      // One report per key: what follows a violation proves nothing.
      if (state.isBroken) continue;
      const violation = this.#judgeKey(state, operations);
      if (violation === undefined) continue;
      state.isBroken = true;
      this.violations.push({ ...violation, text: `${key}: ${violation.text}` });
    }
  }

  #judgeKey(state: KeyState, operations: readonly Operation[]): Violation | undefined {
    for (const { outcome, kind, value } of operations) {
      if (outcome === 'refused' && kind === 'set') this.#refused.add(value);
    }
    const refused = operations.find(
      ({ kind, value }) => kind === 'get' && this.#refused.has(value),
    );
    if (refused !== undefined) {
      const text = `value ${refused.value} was read, whose write was answered "not applied"`;
      return { invariant: 'refused-applied', text };
    }
    const versions = judgeVersions(state, operations);
    if (versions !== undefined) return { invariant: 'version', text: versions };
    const verdict = state.checker.check(operations);
    if (verdict.kind === 'fits') return undefined;
    if (verdict.kind === 'undecided') {
      const text = `no order of the calls was found in ${verdict.steps} steps`;
      return { invariant: 'undecided', text };
    }
    return explain(verdict.at, operations);
  }
}

/** What is wrong with the versions that answers told; undefined when nothing is. */
function judgeVersions(state: KeyState, operations: readonly Operation[]): string | undefined {
  const told = operations.filter(
    ({ kind, outcome, value, version }) =>
      outcome === 'ok' && kind !== 'delete' && value !== NO_VALUE && version !== undefined,
  );
  const ends = told.toSorted((a, b) => a.returned - b.returned);
  const begins = told.toSorted((a, b) => a.invoked - b.invoked);
  const values = new Map([[state.version, state.valueOfVersion]]);
  let next = 0;
  const pass = (event: number) => {
    for (let end = ends[next]; end !== undefined && end.returned < event; end = ends[++next]) {
      if ((end.version ?? 0) <= state.version) continue;
      state.version = end.version ?? 0;
      state.valueOfVersion = end.value;
    }
  };
  for (const { invoked, value, version = 0 } of begins) {
    pass(invoked);
    if (version < state.version) {
      return `version ${version} was told after version ${state.version} had been`;
    }
    const before = values.get(version) ?? value;
    if (before !== value) return `version ${version} had the values ${before} and ${value}`;
    values.set(version, value);
  }
  pass(OPEN);
  return undefined;
}

/** Says in words why no order explains this answer, as far as a simple reason is to be seen. */
function explain(at: Operation, operations: readonly Operation[]): Violation {
  const done = operations.filter(({ kind, outcome }) => kind !== 'get' && outcome === 'ok');
  const before = done
    .filter(({ returned }) => returned < at.invoked)
    .sort((a, b) => b.returned - a.returned);
  const [last] = before;
  const shown = at.value === NO_VALUE ? 'no value' : `value ${at.value}`;
  const ended =
    last === undefined
      ? ''
      : `; ${last.kind === 'delete' ? 'a delete' : `the write of ${last.value}`} had been ` +
        'acknowledged before';
  const text = `${at.kind} found ${shown}${ended} (event ${at.invoked})`;
  if (at.kind !== 'get') {
    const condition = at.expected === undefined ? 'none' : `value ${at.expected}`;
    const words = `${at.kind} was answered "${at.outcome}", asked for: ${condition}`;
    return { invariant: 'order', text: `${words}${ended} (event ${at.invoked})` };
  }
  if (at.value === NO_VALUE) return { invariant: 'lost', text };
  if (last?.kind === 'delete') return { invariant: 'resurrected', text };
  if (last !== undefined && last.value !== at.value) return { invariant: 'lost', text };
  return { invariant: at.returned === OPEN ? 'undecided' : 'order', text };
}

/**
 * The keys of a tag, as one scan saw them: all have the value of one batch, or none has any.
 * `members` is how many keys the tag has; what is wrong, or undefined.
 */
export function judgeTag(values: readonly number[], members: number): string | undefined {
  const batches = [...new Set(values)];
  if (values.length === 0) return undefined;
  if (batches.length === 1 && values.length === members) return undefined;
  return `${values.length} of ${members} keys, of the batches ${batches.join(', ')}`;
}
