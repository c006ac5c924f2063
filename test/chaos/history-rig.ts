/** Histories written down as text, and made up at random from a register that works. */
import { NO_VALUE, OPEN, type Operation } from '../../src/chaos/history.js';
import type { SeededRandom } from '../harness/seeded-random.js';

const LINE = new RegExp(
  '^(?<from>\\d+)-(?<to>\\d+|\\?)(?:~(?<lapses>\\d+))? (?<kind>set|get|del)(?: (?<value>\\d+))?' +
    '(?: if (?<expected>\\d+))?(?: = (?<outcome>\\w+))?(?: v(?<version>\\d+))?$',
);

/**
 * One operation per line: `1-4 set 7`, `2-3 get 0`, `5-? del` (no known outcome), `5-?~9 set 8`
 * (its life was over at 9), `6-8 set 9 if 7 = conflict v3`.
 */
export function historyOf(text: string): Operation[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const found = LINE.exec(line.trim())?.groups;
      if (found === undefined) throw new Error(`Not an operation: ${line}`);
      const { from, to, lapses, kind, value, expected, outcome, version } = found;
      return {
        kind: kind === 'del' ? 'delete' : (kind as 'set' | 'get'),
        key: 'k',
        value: Number(value ?? NO_VALUE),
        expected: expected === undefined ? undefined : Number(expected),
        outcome: (outcome ?? (to === '?' ? 'unknown' : 'ok')) as Operation['outcome'],
        version: version === undefined ? undefined : Number(version),
        invoked: Number(from),
        returned: to === '?' ? OPEN : Number(to),
        life: 1,
        lapses: lapses === undefined ? OPEN : Number(lapses),
      };
    });
}

/** Clients of a register that works: each call takes effect at one moment between its ends. */
export function randomHistory(
  random: SeededRandom,
  clients: number,
  count: number,
  lost = 0.1,
): Operation[] {
  const operations: Operation[] = [];
  const busy = new Map<number, { operation: Operation; isEffective: boolean }>();
  let [event, value, id, version, writes] = [0, NO_VALUE, 0, 0, 0];
  const take = (client: number) => {
    const call = busy.get(client);
    if (call === undefined || call.isEffective) return;
    call.isEffective = true;
    const { kind, expected } = call.operation;
    if (kind === 'get') call.operation = { ...call.operation, value };
    else if (expected !== undefined && expected !== value) {
      call.operation = { ...call.operation, outcome: 'conflict', version };
    } else {
      value = kind === 'delete' ? NO_VALUE : call.operation.value;
      writes++;
      version = kind === 'delete' ? 0 : writes;
      if (kind === 'set') call.operation = { ...call.operation, version };
    }
  };
  while (operations.length < count) {
    const client = random.nextInt(clients);
    const call = busy.get(client);
    if (call === undefined) {
      const kind = random.pick(['set', 'set', 'get', 'get', 'delete'] as const);
      const expected = kind !== 'get' && random.chance(0.3) ? random.nextInt(id + 1) : undefined;
      const written = kind === 'set' ? ++id : NO_VALUE;
      const base = { key: 'k', expected, version: undefined, life: 1, lapses: OPEN };
      const ends = { invoked: ++event, returned: OPEN };
      const operation = { ...base, ...ends, kind, value: written, outcome: 'ok' as const };
      busy.set(client, { operation, isEffective: false });
    } else if (random.chance(0.5)) take(client);
    else {
      const isLost = call.operation.kind !== 'get' && random.chance(lost);
      if (!isLost) take(client);
      busy.delete(client);
      const end = isLost ? { outcome: 'unknown' as const } : { returned: ++event };
      operations.push({ ...call.operation, ...end });
    }
  }
  // What is still in flight is unknown, except reads, which tell nothing.
  for (const { operation } of busy.values()) {
    if (operation.kind !== 'get') operations.push({ ...operation, outcome: 'unknown' });
  }
  return operations;
}

/** By trying every order: slow, short, and independent of the checker. */
export function hasOrder(operations: readonly Operation[]): boolean {
  const all = operations.filter(({ outcome }) => outcome !== 'refused');
  const isDone = (left: readonly Operation[]) => left.every(({ outcome }) => outcome === 'unknown');
  const search = (left: readonly Operation[], value: number): boolean => {
    if (isDone(left)) return true;
    const firstEnd = Math.min(...left.map(({ returned }) => returned));
    return left.some((operation, i) => {
      if (operation.invoked > firstEnd) return false;
      const after = effectOf(operation, value);
      return after !== undefined && search(left.toSpliced(i, 1), after);
    });
  };
  return search(all, NO_VALUE);
}

function effectOf({ kind, value, expected, outcome }: Operation, now: number) {
  if (kind === 'get') return value === now ? now : undefined;
  const holds = expected === undefined || expected === now;
  if (outcome === 'conflict') return holds ? undefined : now;
  if (!holds) return undefined;
  return kind === 'delete' ? NO_VALUE : value;
}
