/**
 * Work that writes few keys again and again, and reads them too. A key belongs to one thread, which
 * therefore knows the order of its writes.
 */
import { assert } from '../base/assert.js';
import type { RunBuilder } from '../base/run-builder.js';
import { Dice } from '../demo/dice.js';
import { KeyLedger } from './key-ledger.js';
import { NumberedKeys } from './numbered-keys.js';
import { NumberedValues } from './numbered-value.js';
import type {
  Check,
  Profile,
  ReadSubmission,
  Share,
  Verdict,
  Work,
  WriteSubmission,
} from './workload.js';
import { Zipf } from './zipf.js';

export type KeyedProfile = Extract<Profile, { keys: number }>;

interface OpenWrite {
  /** Of the thread's own keys. */
  readonly local: number;
  readonly number: number;
  readonly floor: number;
}

export class KeyedWork implements Work {
  readonly #profile: KeyedProfile;
  readonly #share: Pick<Share, 'thread' | 'threads'>;
  readonly #ledger: KeyLedger;
  readonly #keys: NumberedKeys;
  readonly #values: NumberedValues;
  readonly #zipf: Zipf | undefined;
  readonly #dice: Dice;
  #begun = 0;

  constructor(profile: KeyedProfile, share: Omit<Share, 'profile'>) {
    const { thread, threads, seed, run } = share;
    assert(profile.keys >= threads, 'every thread has a key');
    this.#profile = profile;
    this.#share = share;
    this.#ledger = new KeyLedger(Math.ceil(profile.keys / threads));
    this.#keys = new NumberedKeys('k', seed);
    this.#values = new NumberedValues(run, profile.valueBytes);
    this.#zipf = profile.skew > 0 ? new Zipf(profile.keys, profile.skew) : undefined;
    this.#dice = new Dice(seed, `keys of thread ${thread}`);
  }

  get checkCount(): number {
    const { thread, threads } = this.#share;
    return Math.ceil((this.#profile.keys - thread) / threads);
  }

  begin(index: number): WriteSubmission | ReadSubmission {
    assert(index === this.#begun, 'submissions begin in order');
    this.#begun++;
    const { readShare, entries } = this.#profile;
    if (readShare > 0 && this.#dice.chance(readShare)) {
      return { kind: 'read', ...this.#checkOf(this.#drawKey()) };
    }
    const writes = Array.from({ length: entries }, () => this.#beginWrite());
    return {
      kind: 'write',
      count: entries,
      fill: (into, positions) => this.#fill(writes, into, positions),
      end: (position, outcome, isSure) => {
        const write = writes[position];
        if (write === undefined) return;
        const isKnown = isSure && outcome !== 'unknown';
        this.#ledger.end(write.local, write, outcome === 'acknowledged', isKnown);
      },
    };
  }

  *checks(step: number): Iterable<Check> {
    for (let local = 0; local < this.checkCount; local += step) yield this.#checkOf(local);
  }

  /** The thread's own key that is as hot as the one drawn, or next to it. */
  #drawKey(): number {
    const { keys } = this.#profile;
    const drawn = this.#zipf?.draw(this.#dice) ?? this.#dice.between(0, keys - 1);
    return Math.min(Math.floor(drawn / this.#share.threads), this.checkCount - 1);
  }

  #beginWrite(): OpenWrite {
    const local = this.#drawKey();
    return { local, ...this.#ledger.begin(local) };
  }

  #fill(
    writes: readonly OpenWrite[],
    into: RunBuilder,
    positions: readonly number[] | undefined,
  ): void {
    const count = positions?.length ?? writes.length;
    for (let i = 0; i < count; i++) {
      const write = writes[positions?.[i] ?? i];
      if (write === undefined) continue;
      const key = this.#numberOf(write.local);
      into.put(this.#keys.keyView(key), this.#values.valueView(write.number, key));
    }
  }

  #checkOf(local: number): Check {
    const number = this.#numberOf(local);
    const floor = this.#ledger.floorOf(local);
    const key = Buffer.from(this.#keys.keyView(number));
    return { key, judge: (value) => this.#judge(number, floor, value) };
  }

  #judge(key: number, floor: number, value: Uint8Array | undefined): Verdict {
    const origin = value === undefined ? 'other-run' : this.#values.originOf(value, key);
    if (origin === 'other-run') return floor === 0 ? 'absent' : 'lost';
    if (origin === 'damaged' || !this.#ledger.mayShow(origin, floor)) return 'wrong';
    return floor === 0 ? 'unknown-applied' : 'found';
  }

  #numberOf(local: number): number {
    return local * this.#share.threads + this.#share.thread;
  }
}
