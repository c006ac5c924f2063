/**
 * Is there one order of a key's operations that explains every answer, and in which no operation
 * stands before one that had ended before it began? The search is that of Wing and Gong, in the
 * "just in time" form of Lowe: a configuration is the key's value and the set of calls in flight
 * that have already taken effect; at each answer every configuration is extended by such calls
 * until the answered one has taken effect, and those that cannot be are dropped. No configuration
 * left: no order exists. Configurations are kept as a set, so that nothing is searched twice.
 *
 * A call without a known outcome may take effect at any time after it began, or never; only the
 * death of the process that had it ends that. Two facts keep the search small:
 * - values are unique, so an unknown write that somebody saw took effect before the first answer
 *   that shows it; it is treated as a write that ended there;
 * - an unknown write that nobody saw can be left out of any order that has it, unless a conflict
 *   was answered whose version belongs to no known value: only then it stays in the search.
 *
 * Checked window by window, so that a history may be endless: configurations and calls that are
 * still open are carried on.
 */
import { NO_VALUE, OPEN, type Operation } from './history.js';

export type Verdict =
  | { readonly kind: 'fits' }
  /** No order explains this answer. */
  | { readonly kind: 'violation'; readonly at: Operation }
  /** The search grew beyond its limit. Nothing is proven: counts as a failure. */
  | { readonly kind: 'undecided'; readonly at: Operation; readonly steps: number };

export const STEPS_MAX = 1_000_000;

/** A call in flight and what it needs to take effect. */
interface Call {
  readonly id: number;
  readonly operation: Operation;
  /** An unknown write that no answer shows: of use only to explain a blurred conflict. */
  readonly isUnseen: boolean;
  /** It may never take effect. */
  readonly isOptional: boolean;
  /** A conflict whose version belongs to no known value. */
  readonly isBlurred: boolean;
}

interface Configuration {
  readonly value: number;
  /** Ids of calls in flight that have taken effect, ascending. */
  readonly effective: readonly number[];
}

interface Event {
  readonly at: number;
  readonly kind: 'begin' | 'end' | 'lapse';
  readonly call: Call;
}

export class KeyChecker {
  #configurations: Configuration[];
  /** Unknown writes that nobody has seen so far. */
  #unseen: Operation[] = [];
  /** Unknown deletes and unseen writes that are part of the search. */
  #open: Call[] = [];
  readonly #valueOfVersion = new Map<number, number>();
  #calls = 0;
  #steps = 0;
  readonly #stepsMax: number;

  /** The key has no value when the first window begins. */
  constructor(stepsMax = STEPS_MAX) {
    this.#stepsMax = stepsMax;
    this.#configurations = [{ value: NO_VALUE, effective: [] }];
  }

  /**
   * The operations of the next window, which must all have ended (or be unknown) before any of a
   * later one begins. After anything but `fits` the checker must not be used again.
   */
  check(window: readonly Operation[]): Verdict {
    this.#steps = 0;
    this.#learnVersions(window);
    for (const { kind, call } of this.#eventsOf(window)) {
      if (kind === 'begin') {
        this.#open.push(call);
        continue;
      }
      const next = kind === 'end' ? this.#after(call) : this.#afterLapse(call);
      const { operation } = call;
      if (next === undefined) return { kind: 'undecided', at: operation, steps: this.#steps };
      if (next.length === 0) return { kind: 'violation', at: operation };
      this.#configurations = next;
      this.#open = this.#open.filter((other) => other !== call);
    }
    this.#forgetVersions();
    return { kind: 'fits' };
  }

  #learnVersions(window: readonly Operation[]): void {
    for (const { kind, outcome, value, version } of window) {
      if (outcome === 'ok' && kind !== 'delete' && value !== NO_VALUE && version !== undefined) {
        this.#valueOfVersion.set(version, value);
      }
    }
  }

  /** A later conflict can tell of an older window only what the key may hold now. */
  #forgetVersions(): void {
    const values = new Set(this.#configurations.map(({ value }) => value));
    for (const [version, value] of this.#valueOfVersion) {
      if (!values.has(value)) this.#valueOfVersion.delete(version);
    }
  }

  /** In order. A call may have no end, and lapses then, or stays open. */
  #eventsOf(window: readonly Operation[]): Event[] {
    const seen = this.#firstSeen(window);
    const events: Event[] = [];
    const unseen: Operation[] = [];
    const isBlurred = window.some((operation) => this.#isBlurredConflict(operation));
    for (const operation of [...this.#unseen, ...window]) {
      const { kind, outcome, value, invoked, returned, lapses } = operation;
      if (outcome === 'refused' || (outcome === 'unknown' && kind === 'get')) continue;
      const isUnknownSet = outcome === 'unknown' && kind === 'set';
      const seenAt = isUnknownSet ? (seen.get(value) ?? OPEN) : returned;
      if (isUnknownSet && seenAt === OPEN && !isBlurred) {
        if (!isReadAfter(window, lapses)) unseen.push(operation);
        continue;
      }
      const isUnseen = isUnknownSet && seenAt === OPEN;
      const call = {
        id: ++this.#calls,
        operation,
        isUnseen,
        isOptional: seenAt === OPEN,
        isBlurred: this.#isBlurredConflict(operation),
      };
      events.push({ at: invoked, kind: 'begin', call });
      if (seenAt !== OPEN) events.push({ at: Math.min(seenAt, lapses), kind: 'end', call });
      else if (lapses !== OPEN) events.push({ at: lapses, kind: 'lapse', call });
    }
    this.#unseen = unseen;
    return events.sort((a, b) => a.at - b.at);
  }

  /** Value → the first end of an answer that shows it. */
  #firstSeen(window: readonly Operation[]): Map<number, number> {
    const seen = new Map<number, number>();
    for (const operation of window) {
      const shown = this.#shownBy(operation);
      if (shown === undefined) continue;
      seen.set(shown, Math.min(operation.returned, seen.get(shown) ?? OPEN));
    }
    // A conditional write that was seen shows what it replaced, and so on back.
    const writes = window.filter(({ kind, outcome }) => kind === 'set' && outcome === 'unknown');
    for (let isMore = true; isMore; ) {
      isMore = false;
      for (const { value, expected = NO_VALUE } of writes) {
        const seenAt = seen.get(value);
        if (seenAt === undefined || expected === NO_VALUE) continue;
        if (seenAt >= (seen.get(expected) ?? OPEN)) continue;
        seen.set(expected, seenAt);
        isMore = true;
      }
    }
    return seen;
  }

  #shownBy({ kind, outcome, value, expected, version }: Operation): number | undefined {
    if (outcome === 'ok') return kind === 'get' ? value : expected;
    if (outcome !== 'conflict' || version === undefined) return undefined;
    return version === 0 ? NO_VALUE : this.#valueOfVersion.get(version);
  }

  #isBlurredConflict(operation: Operation): boolean {
    return operation.outcome === 'conflict' && this.#shownBy(operation) === undefined;
  }

  /** The configurations in which the call has taken effect; undefined when there are too many. */
  #after(call: Call): Configuration[] | undefined {
    const done = new Map<string, Configuration>();
    const visited = new Set<string>();
    const stack = [...this.#configurations];
    for (let one = stack.pop(); one !== undefined; one = stack.pop()) {
      if (++this.#steps > this.#stepsMax) return undefined;
      if (one.effective.includes(call.id)) {
        const { value } = one;
        const effective = one.effective.filter((id) => id !== call.id);
        done.set(nameOf(value, effective), { value, effective });
        continue;
      }
      for (const next of this.#successors(one, call)) {
        const name = nameOf(next.value, next.effective);
        if (visited.has(name)) continue;
        visited.add(name);
        stack.push(next);
      }
    }
    return this.#smallest([...done.values()]);
  }

  /**
   * Without those that another one makes needless: the same, but with fewer calls used up that
   * may take effect or not.
   */
  #smallest(all: readonly Configuration[]): Configuration[] {
    const optional = new Set(this.#open.filter(({ isOptional }) => isOptional).map(({ id }) => id));
    const groups = new Map<string, Configuration[]>();
    for (const one of all) {
      const due = one.effective.filter((id) => !optional.has(id));
      const name = nameOf(one.value, due);
      const group = groups.get(name);
      if (group === undefined) groups.set(name, [one]);
      else if (!group.some((other) => isPart(other, one))) {
        groups.set(name, [...group.filter((other) => !isPart(one, other)), one]);
      }
    }
    return [...groups.values()].flat();
  }

  /** The call has taken effect by now, or never will. */
  #afterLapse(call: Call): Configuration[] | undefined {
    const taken = this.#after(call);
    if (taken === undefined) return undefined;
    const others = this.#configurations.filter(({ effective }) => !effective.includes(call.id));
    return this.#smallest([...others, ...taken]);
  }

  #successors({ value, effective }: Configuration, goal: Call): Configuration[] {
    const next: Configuration[] = [];
    const needsUnseen = this.#open.some(
      ({ id, isBlurred }) => isBlurred && !effective.includes(id),
    );
    let [hasDelete, hasUnseen] = [false, false];
    for (const { id, operation, isUnseen } of this.#open) {
      if (effective.includes(id)) continue;
      // Without a condition and an end, these are alike: one stands for all of its kind.
      if (isEndlessDelete(operation) && id !== goal.id) {
        if (hasDelete) continue;
        hasDelete = true;
      }
      if (isUnseen && id !== goal.id) {
        if (!needsUnseen || hasUnseen) continue;
        hasUnseen = operation.expected === undefined && operation.lapses === OPEN;
      }
      const after = this.#effectOf(operation, value);
      if (after === undefined) continue;
      const at = effective.findIndex((other) => other > id);
      const ids = at < 0 ? [...effective, id] : effective.toSpliced(at, 0, id);
      next.push({ value: after, effective: ids });
    }
    return next;
  }

  /** The key's value after the operation; undefined when it cannot have been answered so. */
  #effectOf(operation: Operation, value: number): number | undefined {
    const { kind, outcome, expected } = operation;
    if (kind === 'get') return operation.value === value ? value : undefined;
    if (outcome === 'conflict') {
      if (expected === value) return undefined;
      const shown = this.#shownBy(operation);
      return shown === undefined || shown === value ? value : undefined;
    }
    if (expected !== undefined && expected !== value) return undefined;
    return kind === 'delete' ? NO_VALUE : operation.value;
  }
}

function isEndlessDelete({ kind, expected, returned, lapses }: Operation): boolean {
  return kind === 'delete' && expected === undefined && returned === OPEN && lapses === OPEN;
}

/** True when somebody read the key in a call that began after this event. */
function isReadAfter(window: readonly Operation[], event: number): boolean {
  return window.some(
    ({ kind, outcome, invoked }) => kind === 'get' && outcome === 'ok' && invoked > event,
  );
}

function isPart(part: Configuration, whole: Configuration): boolean {
  return part.effective.every((id) => whole.effective.includes(id));
}

function nameOf(value: number, effective: readonly number[]): string {
  return `${value}|${effective.join(',')}`;
}
