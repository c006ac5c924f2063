/**
 * Clients that write, delete, read and scan the keys of a run at the same time, and put down what
 * they were told. A call is made once: a retry would be a second write of one value.
 *
 * Three kinds of keys: few hot ones, which many clients meet on; many cold ones, which are written
 * rarely and must outlive flushes and merges; and tags, whose keys are written by batches only and
 * scanned at one moment.
 */
import type { Clock } from '../base/clock.js';
import { messageOf, StormError } from '../base/errors.js';
import { VersionConflict } from '../base/version-conflict.js';
import type { Dice } from '../demo/dice.js';
import type { Door, DoorSource } from './door.js';
import { type History, NO_VALUE, OPEN, type Operation, type Outcome } from './history.js';
import { type Judge, judgeTag } from './judge.js';
import { valueBy, writerOf } from './value.js';

export interface KeySpace {
  /** All keys of the run begin with it. */
  readonly prefix: string;
  readonly hot: number;
  readonly cold: number;
  readonly tags: number;
  /** Keys of a tag. */
  readonly members: number;
}

/** What is measured while clients work. */
export interface Meter {
  answered(nowMs: number, latencyMs: number, entries: number): void;
  failed(nowMs: number, outcome: 'refused' | 'unknown', error: StormError): void;
}

export interface ClientsOptions {
  readonly run: string;
  readonly keys: KeySpace;
  readonly doors: DoorSource;
  readonly history: History;
  readonly judge: Judge;
  readonly meter: Meter;
  readonly clock: Clock;
  sleep(ms: number): Promise<void>;
}

type Draft = Pick<Operation, 'kind' | 'key' | 'value' | 'expected'>;
interface Told {
  readonly value: number;
  readonly version: number;
}

const PAUSE_MS = 10;
const PAUSE_MS_MAX = 100;

export class Clients {
  readonly #options: ClientsOptions;
  /** What clients last heard of a key, for conditional writes. */
  readonly #told = new Map<string, Told>();
  #ids = 0;
  #touched = new Set<string>();

  constructor(options: ClientsOptions) {
    this.#options = options;
  }

  /** Calls one after the other until `isOver`. Rejects only when there is no server any more. */
  async run(dice: Dice, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const door = await this.#options.doors.door();
      const failure = await this.#step(door, dice);
      if (failure === undefined) continue;
      await this.#options.sleep(Math.min(failure.retryAfterMs ?? PAUSE_MS, PAUSE_MS_MAX));
    }
  }

  /** Keys written since the last call. */
  takeTouched(): string[] {
    const touched = [...this.#touched];
    this.#touched = new Set();
    return touched;
  }

  get allKeys(): string[] {
    const { hot, cold, tags, members } = this.#options.keys;
    return [
      ...Array.from({ length: hot }, (_, i) => this.#key('hot', i)),
      ...Array.from({ length: cold }, (_, i) => this.#key('cold', i)),
      ...Array.from({ length: tags * members }, (_, i) =>
        this.#member(Math.floor(i / members), i % members),
      ),
    ];
  }

  /** Reads the key until it is answered, at most so long; false when it never was. */
  async readSurely(key: string, patienceMs: number): Promise<boolean> {
    const { clock, doors, sleep } = this.#options;
    const endMs = clock.monotonicMs() + patienceMs;
    for (;;) {
      const failure = await this.#get(await doors.door(), key);
      if (failure === undefined) return true;
      if (clock.monotonicMs() >= endMs) return false;
      await sleep(PAUSE_MS);
    }
  }

  #key(kind: 'hot' | 'cold', index: number): string {
    return `${this.#options.keys.prefix}${kind}/${index}`;
  }

  #member(tag: number, member: number): string {
    return `${this.#options.keys.prefix}{t${tag}}/${member}`;
  }

  #anyKey(dice: Dice): string {
    const { hot, cold } = this.#options.keys;
    return dice.chance(0.6)
      ? this.#key('hot', dice.between(0, hot - 1))
      : this.#key('cold', dice.between(0, cold - 1));
  }

  #step(door: Door, dice: Dice): Promise<StormError | undefined> {
    const draw = dice.float();
    if (draw < 0.12) return this.#batch(door, dice.between(0, this.#options.keys.tags - 1));
    if (draw < 0.17) return this.#scanTag(door, dice.between(0, this.#options.keys.tags - 1));
    const key = this.#anyKey(dice);
    if (draw < 0.4) return this.#get(door, key);
    const condition = draw < 0.52 ? this.#condition(key, dice) : undefined;
    return draw < 0.44 || draw > 0.94
      ? this.#delete(door, key, condition)
      : this.#set(door, key, condition);
  }

  /** What the key is asked to hold: what was last heard, or nothing. */
  #condition(key: string, dice: Dice): Told {
    const told = this.#told.get(key);
    return told === undefined || dice.chance(0.2) ? { value: NO_VALUE, version: 0 } : told;
  }

  #set(door: Door, key: string, condition?: Told): Promise<StormError | undefined> {
    const value = ++this.#ids;
    const draft = { kind: 'set', key, value, expected: condition?.value } as const;
    const ask =
      condition === undefined
        ? {}
        : condition.version === 0
          ? { ifAbsent: true }
          : { ifVersion: condition.version };
    return this.#write(door, draft, () =>
      door.set(key, valueBy(this.#options.run, key, value), ask),
    );
  }

  #delete(door: Door, key: string, condition?: Told): Promise<StormError | undefined> {
    // A delete cannot ask for "no value".
    const told = condition?.version === 0 ? undefined : condition;
    const draft = { kind: 'delete', key, value: NO_VALUE, expected: told?.value } as const;
    return this.#write(door, draft, async () => {
      await door.delete(key, told?.version);
      return undefined;
    });
  }

  async #write(
    { life }: Door,
    draft: Draft,
    call: () => Promise<number | undefined>,
  ): Promise<StormError | undefined> {
    const { history, meter, clock } = this.#options;
    const startMs = clock.monotonicMs();
    const invoked = history.next();
    this.#touched.add(draft.key);
    const end = (outcome: Outcome, version: number | undefined) => {
      const returned = outcome === 'unknown' ? OPEN : history.next();
      history.add({ ...draft, outcome, version, invoked, returned, life });
    };
    try {
      const version = await call();
      end('ok', version);
      if (version !== undefined) this.#told.set(draft.key, { value: draft.value, version });
      const nowMs = clock.monotonicMs();
      meter.answered(nowMs, nowMs - startMs, 1);
      return undefined;
    } catch (error) {
      if (error instanceof VersionConflict) {
        end('conflict', error.version);
        this.#told.delete(draft.key);
        return undefined;
      }
      const failure = stormErrorOf(error);
      end(outcomeOf(failure), undefined);
      meter.failed(clock.monotonicMs(), outcomeOf(failure), failure);
      return failure;
    }
  }

  async #get(door: Door, key: string): Promise<StormError | undefined> {
    const { history, meter, clock } = this.#options;
    const startMs = clock.monotonicMs();
    const invoked = history.next();
    try {
      const found = await door.getVersioned(key);
      this.#sawNow(door, key, found, invoked);
      const nowMs = clock.monotonicMs();
      meter.answered(nowMs, nowMs - startMs, 0);
      return undefined;
    } catch (error) {
      return this.#readFailed(error);
    }
  }

  #readFailed(error: unknown): StormError {
    const failure = stormErrorOf(error);
    if (failure.code === 'DATA_CORRUPTION') {
      this.#options.judge.report('lost', `a read failed: ${failure.message}`);
    }
    this.#options.meter.failed(this.#options.clock.monotonicMs(), 'refused', failure);
    return failure;
  }

  /** Puts down what a read found; the id of the value, or undefined when it is nobody's. */
  #sawNow(
    { life }: Door,
    key: string,
    found: { value: Uint8Array; version: number } | undefined,
    invoked: number,
  ): number | undefined {
    const { run, history, judge } = this.#options;
    const value = found === undefined ? NO_VALUE : writerOf(run, key, found.value);
    if (value === undefined || value > this.#ids) {
      judge.report('phantom', `${key}: a value was read that nobody wrote there`);
      return undefined;
    }
    const version = found?.version;
    if (version !== undefined) this.#told.set(key, { value, version });
    const ends = { invoked, returned: history.next(), life };
    history.add({ kind: 'get', key, value, expected: undefined, outcome: 'ok', version, ...ends });
    return value;
  }

  async #batch(door: Door, tag: number): Promise<StormError | undefined> {
    const { run, history, keys, meter, clock, judge } = this.#options;
    const id = ++this.#ids;
    const names = Array.from({ length: keys.members }, (_, i) => this.#member(tag, i));
    const startMs = clock.monotonicMs();
    const invoked = history.next();
    const end = (outcome: Outcome) => {
      const returned = outcome === 'unknown' ? OPEN : history.next();
      for (const key of names) {
        this.#touched.add(key);
        const draft = { kind: 'set', key, value: id, expected: undefined } as const;
        const { life } = door;
        history.add({ ...draft, outcome, version: undefined, invoked, returned, life });
      }
    };
    try {
      const entries = names.map((key) => ({ key, value: valueBy(run, key, id) }));
      const { written, errors } = await door.batchSet(entries);
      if (errors.length > 0 && written > 0) {
        judge.report('torn-batch', `batch ${id}: ${written} of ${names.length} keys were written`);
      }
      const isUnknown = errors.some(({ unknown }) => unknown);
      end(errors.length === 0 ? 'ok' : isUnknown ? 'unknown' : 'refused');
      const nowMs = clock.monotonicMs();
      if (errors.length === 0) {
        meter.answered(nowMs, nowMs - startMs, names.length);
        return undefined;
      }
      const failure = new StormError('UNAVAILABLE', errors[0]?.message ?? '');
      meter.failed(nowMs, isUnknown ? 'unknown' : 'refused', failure);
      return failure;
    } catch (error) {
      const failure = stormErrorOf(error);
      end(outcomeOf(failure));
      meter.failed(clock.monotonicMs(), outcomeOf(failure), failure);
      return failure;
    }
  }

  /** The keys of a tag, at one moment. */
  async #scanTag(door: Door, tag: number): Promise<StormError | undefined> {
    const { history, keys, meter, clock, judge } = this.#options;
    const prefix = `${keys.prefix}{t${tag}}/`;
    const startMs = clock.monotonicMs();
    const invoked = history.next();
    try {
      const found = new Map<string, { value: Uint8Array; version: number }>();
      let isFresh = false;
      for await (const page of door.scan({ prefix: Buffer.from(prefix, 'utf8') })) {
        isFresh ||= page.freshSnapshot;
        for (const entry of page.entries) found.set(entry.key, entry);
      }
      const ids: number[] = [];
      for (let i = 0; i < keys.members; i++) {
        const key = this.#member(tag, i);
        const id = this.#sawNow(door, key, found.get(key), invoked);
        if (id !== undefined && id !== NO_VALUE) ids.push(id);
      }
      const torn = isFresh ? undefined : judgeTag(ids, keys.members);
      if (torn !== undefined) judge.report('torn-batch', `${prefix}: ${torn}`);
      const nowMs = clock.monotonicMs();
      meter.answered(nowMs, nowMs - startMs, 0);
      return undefined;
    } catch (error) {
      return this.#readFailed(error);
    }
  }
}

function outcomeOf({ outcome }: StormError): 'refused' | 'unknown' {
  return outcome === 'unknown' ? 'unknown' : 'refused';
}

/** A client's own bug must not pass for a failure of the server. */
function stormErrorOf(error: unknown): StormError {
  if (error instanceof StormError) return error;
  throw new Error(`A client of the chaos run failed: ${messageOf(error)}`, { cause: error });
}
