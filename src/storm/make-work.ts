/** From a profile to the work of a thread. */

import { RunReader } from '../base/entry-run.js';
import { RunBuilder } from '../base/run-builder.js';
import { answerEntries, FixedWork, uniformEntries } from './fixed-work.js';
import { KeyedWork } from './keyed-work.js';
import type { Profile, Share, Work } from './workload.js';

export function makeWork(share: Share): Work {
  const { profile, seed, run, submissions } = share;
  switch (profile.name) {
    case 'epro':
      return new FixedWork(answerEntries(profile.form, seed, run, submissions), share);
    case 'uniform': {
      const { entries, valueBytes } = profile;
      return new FixedWork(uniformEntries(seed, run, entries, valueBytes), share);
    }
    default:
      return new KeyedWork(profile, share);
  }
}

/** Of one kind of number. */
export interface Spread {
  mean: number;
  max: number;
}

/** How large submissions are; from a sample. */
export interface WorkSizes {
  entriesPerSubmission: Spread;
  keyBytes: Spread;
  valueBytes: Spread;
  /** Of submissions. */
  readShare: number;
}

const SAMPLE = 500;

/** Looks at the first submissions that such a profile would make. */
export function sizesOf(profile: Profile, seed: number, submissions: number): WorkSizes {
  const share = { profile, seed, run: 1, thread: 0, threads: 1, submissions };
  const work = makeWork(share);
  const entries = new Tally();
  const keys = new Tally();
  const values = new Tally();
  const builder = new RunBuilder();
  const reader = new RunReader();
  for (let i = 0; i < Math.min(SAMPLE, submissions); i++) {
    const submission = work.begin(i);
    if (submission.kind === 'read') continue;
    entries.add(submission.count);
    builder.clear();
    submission.fill(builder);
    reader.reset(builder.runView(), 0, builder.length);
    while (reader.next()) {
      keys.add(reader.keyLength);
      values.add(reader.valueLength);
    }
  }
  const readShare = 'readShare' in profile ? profile.readShare : 0;
  return {
    entriesPerSubmission: entries.spread,
    keyBytes: keys.spread,
    valueBytes: values.spread,
    readShare,
  };
}

class Tally {
  #sum = 0;
  #count = 0;
  #max = 0;

  add(value: number): void {
    this.#sum += value;
    this.#count++;
    this.#max = Math.max(this.#max, value);
  }

  get spread(): Spread {
    return { mean: this.#count === 0 ? 0 : this.#sum / this.#count, max: this.#max };
  }
}
