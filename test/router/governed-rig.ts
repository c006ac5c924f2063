/** Gates of the test's making, and a store that answers when the test says so. */
import type { StormError } from '../../src/base/errors.js';
import type { Call, Gate } from '../../src/router/gates.js';
import type { KvOperations, KvScan, ScanPage } from '../../src/rpc/kv-operations.js';

/** Writes down what passes; refuses with `refusal` while it is set. */
export class NotingGate implements Gate {
  readonly seen: string[] = [];
  refusal: StormError | undefined;
  restMs = 0;
  readonly countsEntries: boolean = true;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  enter({ method, kind, entries, caller }: Call): StormError | undefined {
    this.seen.push(`${this.#name} enter ${method} ${kind} ${entries} ${caller.name}`);
    return this.refusal;
  }

  leave({ entries }: Call, error: StormError | undefined): void {
    this.seen.push(`${this.#name} leave ${entries} ${error?.code ?? 'ok'}`);
  }

  charge(_: Call, entries: number): number {
    this.seen.push(`${this.#name} charge ${entries}`);
    return this.restMs;
  }
}

export function pageOf(count: number, isLast: boolean): ScanPage {
  const entry = { key: Buffer.from('k'), value: undefined, version: 1 };
  const entries = Array.from({ length: count }, () => entry);
  return { entries, cursor: undefined, freshSnapshot: false, isLast };
}

/** A store that answers everything at once with `error`, or with something empty. */
export class PlainStore implements KvOperations {
  error: StormError | undefined;
  /** Of the next scan. */
  pages: ScanPage[] = [];
  calls = 0;
  closedScans = 0;
  readonly batchErrors: StormError[] = [];

  readonly set: KvOperations['set'] = (_k, _v, _t, done) => done(this.#count(), 1);
  readonly delete: KvOperations['delete'] = (_k, _t, done) => done(this.#count(), 1);
  readonly get: KvOperations['get'] = (_k, _t, done) => done(this.#count(), undefined, 0);
  readonly batchSet: KvOperations['batchSet'] = (_b, _t, done) =>
    done(this.#count(), {
      written: 1,
      errors: this.batchErrors.map((error, index) => ({ index, error })),
    });
  readonly hasRoomForBatch = () => true;
  readonly onRoom = (go: () => void) => go();
  readonly batchGet: KvOperations['batchGet'] = (_k, _t, done) => done(this.#count(), []);
  readonly expire: KvOperations['expire'] = (_k, _l, _t, done) => done(this.#count(), 1);
  readonly ttl: KvOperations['ttl'] = (_k, _t, done) => done(this.#count(), undefined);
  readonly deletePrefix: KvOperations['deletePrefix'] = (_p, _o, _t, done) =>
    done(this.#count(), 3);

  readonly scan = (): KvScan => {
    const error = this.#count();
    if (error !== undefined) throw error;
    return {
      nextPage: (_, done) => {
        if (this.error === undefined) done(undefined, this.pages.shift());
        else done(this.error, undefined);
      },
      close: () => {
        this.closedScans++;
      },
    };
  };

  #count(): StormError | undefined {
    this.calls++;
    return this.error;
  }
}
