/**
 * What a store may hold after a crash, exactly: the writes that were acknowledged, and then, in
 * order and without a hole, none or some of the batches whose outcome nobody knows. The sequence
 * number tells how many, so one state alone is right. Values are immutable: every moment of a
 * workload keeps the expectation that held then.
 */
export interface Write {
  key: string;
  /** undefined = delete. */
  value: string | undefined;
  /** Only with a value: it is gone so long after its commit. */
  ttlMs?: number;
}

/** One request: all of it or nothing. */
export interface Batch {
  writes: readonly Write[];
  commitTimeMs: number;
}

interface Held {
  value: string;
  /** 0 = never. */
  expiresAtMs: number;
}

export type Contents = ReadonlyMap<string, Held>;

export interface Expectation {
  contents: Contents;
  /** Sequence number of the last write in `contents`. */
  sequence: number;
  /** In the order of their commit, behind `contents`. */
  open: readonly Batch[];
  /** So many of them were answered: a power loss may take them, the end of the process may not. */
  answered: number;
}

export const NOTHING: Expectation = { contents: new Map(), sequence: 0, open: [], answered: 0 };

export function withOpen(before: Expectation, open: readonly Batch[]): Expectation {
  return { ...before, open: [...before.open, ...open] };
}

/** The first `count` of the open batches were applied, the others are as open as before. */
export function withApplied(before: Expectation, count: number): Expectation {
  const contents = new Map(before.contents);
  let { sequence } = before;
  for (const { writes, commitTimeMs } of before.open.slice(0, count)) {
    for (const write of writes) apply(contents, write, commitTimeMs);
    sequence += writes.length;
  }
  const answered = Math.max(0, before.answered - count);
  return { contents, sequence, open: before.open.slice(count), answered };
}

/** All that was open is settled: the first batches were applied, the others surely were not. */
export function settled(before: Expectation, count: number): Expectation {
  if (before.open.length === 0) return before;
  return { ...withApplied(before, count), open: [], answered: 0 };
}

function apply(contents: Map<string, Held>, write: Write, commitTimeMs: number): void {
  const { key, value, ttlMs } = write;
  if (value === undefined) contents.delete(key);
  else contents.set(key, { value, expiresAtMs: ttlMs === undefined ? 0 : commitTimeMs + ttlMs });
}

/** Everything that is open was answered. */
export function withAnswered(before: Expectation): Expectation {
  return { ...before, answered: before.open.length };
}

/** How many of the open batches a store at that sequence has; undefined where none fits. */
export function appliedAt(expected: Expectation, sequence: number): number | undefined {
  let reached = expected.sequence;
  for (let count = 0; ; count++) {
    if (reached === sequence) return count;
    const next = expected.open[count];
    if (next === undefined || reached > sequence) return undefined;
    reached += next.writes.length;
  }
}

/** What readers see at that wall time. */
export function visibleAt(contents: Contents, wallMs: number): Map<string, string> {
  const seen = new Map<string, string>();
  for (const [key, { value, expiresAtMs }] of contents) {
    if (expiresAtMs === 0 || expiresAtMs > wallMs) seen.set(key, value);
  }
  return seen;
}

/** The first difference in words, or undefined. */
export function differenceOf(
  expected: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
): string | undefined {
  for (const [key, value] of expected) {
    const got = found.get(key);
    if (got !== value) return `${key}: found ${brief(got)}, expected ${brief(value)}`;
  }
  for (const [key, value] of found) {
    if (!expected.has(key)) return `${key}: found ${brief(value)}, expected nothing`;
  }
  return undefined;
}

function brief(value: string | undefined): string {
  return value === undefined ? 'nothing' : value.slice(0, 24);
}

/** Whether both demand the same of a store. */
export function isSame(a: Expectation, b: Expectation): boolean {
  if (a === b) return true;
  if (a.sequence !== b.sequence || a.answered !== b.answered) return false;
  if (a.open.length !== b.open.length || a.open.some((batch, i) => batch !== b.open[i])) {
    return false;
  }
  if (a.contents === b.contents) return true;
  if (a.contents.size !== b.contents.size) return false;
  for (const [key, held] of a.contents) {
    const other = b.contents.get(key);
    if (other?.value !== held.value || other.expiresAtMs !== held.expiresAtMs) return false;
  }
  return true;
}
