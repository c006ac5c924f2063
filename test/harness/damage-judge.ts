/**
 * Opens a damaged store with the real engine, reads everything, and says what came of it. A right
 * answer, a typed corruption error and a refusal to open are sound; a wrong or a missing value and
 * any other error are not.
 */
import { CorruptionError, messageOf, StormError } from '../../src/base/errors.js';
import { Engine } from '../../src/shard/engine.js';
import type { PageEnd } from '../../src/shard/range-scan.js';
import { checkDataDir } from '../../src/storage/check-data-dir.js';
import type { Finding } from '../../src/storage/check-finding.js';
import type { EntryView } from '../../src/storage/entry-cursor.js';
import { LookupResult } from '../../src/storage/lookup.js';
import { openOrCreateRoot } from '../../src/storage/root-manifest.js';
import { DATA_DIR, ReusedArenas } from './crash-machine.js';
import type { Contents, StoreImage } from './damage-store.js';
import { ManualClock } from './manual-clock.js';
import { SeededRandom } from './seeded-random.js';
import type { SimulatedDisk } from './simulated-disk.js';

/**
 * `right`: opened, and every read right. `corruption`: a read or the opening named file and offset.
 * `refused`: not opened, for another reason that is told. `older`: opened, and every read is that
 * of a moment `groups` groups earlier: what a torn last write looks like. `wrong`: anything else.
 */
export type Verdict =
  | { kind: 'right' }
  | { kind: 'corruption'; opened: boolean; file: string; offset: number }
  | { kind: 'refused'; code: string }
  | { kind: 'older'; groups: number }
  | { kind: 'wrong'; what: string };

const ARENAS = 4;
const NO_JOBS = { submit: (): void => {} };
const ABSENT_KEYS = ['', 'key', 'key-09', 'key-10a', 'key-21.', 'key-99', 'zzz'];
const NO_BOUNDS = { from: undefined, to: undefined };

interface Expected {
  /** Undefined = no value. */
  values: (Buffer | undefined)[];
  /** In order. */
  entries: { key: Buffer; value: Buffer }[];
}

export class DamageJudge {
  readonly #image: StoreImage;
  readonly #arenas: ReusedArenas;
  readonly #keys: Buffer[];
  readonly #expected: Expected[];
  readonly #lookup = new LookupResult();

  constructor(image: StoreImage) {
    this.#image = image;
    this.#arenas = new ReusedArenas(ARENAS, image.options.arenaBytes);
    const names = [...new Set([...image.keys, ...ABSENT_KEYS.filter((key) => key !== '')])];
    this.#keys = names.map((key) => Buffer.from(key));
    this.#expected = image.states.map((contents) => expectationOf(names, contents));
  }

  /** Changes the disk, as every opening does. */
  judge(disk: SimulatedDisk): Verdict {
    let engine: Engine;
    try {
      engine = this.#open(disk);
    } catch (error) {
      return refusalOf(error, disk);
    }
    const reading = new Reading(engine, this.#keys, this.#lookup);
    for (const [groups, expected] of this.#expected.entries()) {
      const verdict = reading.compare(expected, disk);
      if (verdict.kind === 'right' && groups > 0) return { kind: 'older', groups };
      if (verdict.kind !== 'wrong') return verdict;
    }
    return reading.compare(this.#expected[0] as Expected, disk);
  }

  /** What `check` finds; it changes nothing. Throws nothing, whatever it meets. */
  check(disk: SimulatedDisk): Finding[] {
    const findings: Finding[] = [];
    const totals = { shards: 0, tables: 0, tableBytes: 0, entries: 0, segments: 0, frames: 0 };
    const found = (finding: Finding): void => void findings.push(finding);
    checkDataDir(disk, DATA_DIR, { found, progress: () => {}, totals });
    return findings;
  }

  #open(disk: SimulatedDisk): Engine {
    const random = new SeededRandom(1);
    const wanted = { shardCount: 1, shardCountIfNew: 1, random };
    const { storeUuid } = openOrCreateRoot(disk, DATA_DIR, wanted);
    this.#arenas.reset();
    const clock = new ManualClock(this.#image.wallMs);
    const env = { fs: disk, clock, random, jobs: NO_JOBS, arenas: this.#arenas };
    return Engine.open(env, { ...this.#image.options, storeUuid });
  }
}

/** What an engine answers, compared with a state; damage that it names is no difference. */
class Reading {
  readonly #engine: Engine;
  readonly #keys: readonly Buffer[];
  readonly #lookup: LookupResult;

  constructor(engine: Engine, keys: readonly Buffer[], lookup: LookupResult) {
    this.#engine = engine;
    this.#keys = keys;
    this.#lookup = lookup;
  }

  compare(expected: Expected, disk: SimulatedDisk): Verdict {
    let damage: Verdict | undefined;
    const attempt = (read: () => string | undefined): Verdict | undefined => {
      try {
        const what = read();
        return what === undefined ? undefined : { kind: 'wrong', what };
      } catch (error) {
        const verdict = typed(error, true, disk);
        if (verdict.kind === 'wrong') return verdict;
        damage = verdict;
        return undefined;
      }
    };
    for (const [i, key] of this.#keys.entries()) {
      const wrong = attempt(() => this.#get(key, expected.values[i]));
      if (wrong !== undefined) return wrong;
    }
    for (const reverse of [false, true]) {
      const wrong = attempt(() => this.#scan(expected.entries, reverse));
      if (wrong !== undefined) return wrong;
    }
    return damage ?? { kind: 'right' };
  }

  #get(key: Buffer, expected: Buffer | undefined): string | undefined {
    const found = this.#lookup;
    const isFound = this.#engine.get(key, 0, key.length, found);
    if (isFound === (expected !== undefined) && (!isFound || isValue(found, expected))) {
      return undefined;
    }
    const got = isFound ? `a value of ${found.valueLength} bytes` : 'no value';
    return `${key}: ${got}, expected ${String(expected)}`;
  }

  #scan(expected: Expected['entries'], reverse: boolean): string | undefined {
    const engine = this.#engine;
    while (!engine.prepareScan());
    const snapshot = engine.openSnapshot();
    let count = 0;
    let wrong: string | undefined;
    const sink = {
      add(entry: EntryView): boolean {
        const wanted = expected[reverse ? expected.length - 1 - count : count];
        count++;
        const isSame = isKey(entry, wanted?.key) && isValue(entry, wanted?.value);
        if (!isSame) wrong ??= `a scan found another entry ${count} than ${String(wanted?.key)}`;
        return isSame;
      },
    };
    let end: PageEnd;
    try {
      end = engine.scan(NO_BOUNDS, snapshot, sink, reverse);
    } finally {
      engine.closeSnapshot(snapshot.id);
    }
    if (wrong !== undefined) return wrong;
    if (end.kind !== 'done') return 'a scan did not come to its end';
    return count === expected.length ? undefined : `a scan found ${count} of ${expected.length}`;
  }
}

function expectationOf(names: readonly string[], contents: Contents): Expected {
  const entries = [...contents]
    .map(([key, value]) => ({ key: Buffer.from(key), value: Buffer.from(value) }))
    .sort((a, b) => Buffer.compare(a.key, b.key));
  const values = names.map((name) => {
    const value = contents.get(name);
    return value === undefined ? undefined : Buffer.from(value);
  });
  return { values, entries };
}

function isKey({ keyBytes, keyStart, keyLength }: EntryView, key: Buffer | undefined): boolean {
  return key !== undefined && isBytes(keyBytes, keyStart, keyLength, key);
}

function isValue(
  found: { valueBytes: Uint8Array; valueStart: number; valueLength: number },
  value: Buffer | undefined,
): boolean {
  const { valueBytes, valueStart, valueLength } = found;
  return value !== undefined && isBytes(valueBytes, valueStart, valueLength, value);
}

function isBytes(bytes: Uint8Array, start: number, length: number, wanted: Buffer): boolean {
  if (length !== wanted.length) return false;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== wanted[i]) return false;
  return true;
}

/** Not opened: why. */
function refusalOf(error: unknown, disk: SimulatedDisk): Verdict {
  if (error instanceof CorruptionError) return typed(error, false, disk);
  const isTold = error instanceof StormError && TOLD.includes(error.code);
  if (isTold) return { kind: 'refused', code: error.code };
  return { kind: 'wrong', what: `the opening threw ${stackOf(error)}` };
}

const TOLD: readonly string[] = ['DATA_CORRUPTION', 'FAILED_PRECONDITION', 'UNIMPLEMENTED'];

/** A CorruptionError must name a place that is there, in a file of the store. */
function typed(error: unknown, opened: boolean, disk: SimulatedDisk): Verdict {
  if (!(error instanceof CorruptionError)) {
    return { kind: 'wrong', what: `a read threw ${stackOf(error)}` };
  }
  const { file, offset } = error.site;
  const size = disk.stat(file)?.sizeBytes ?? 0;
  const isPlace = file.startsWith(`${DATA_DIR}/`) && offset >= 0 && Number.isInteger(offset);
  if (isPlace && offset <= Math.max(size, 0)) return { kind: 'corruption', opened, file, offset };
  return { kind: 'wrong', what: `the damage is named as ${file} at ${offset}: ${error.message}` };
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
}
