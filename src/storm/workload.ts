/**
 * What a storm writes and reads. Submission by submission, each thread makes its share from numbers
 * and a seed and remembers what became of it; afterwards it knows what the server must hold.
 * Thread t of T makes the submissions whose number leaves t when divided by T.
 */
import type { RunBuilder } from '../base/run-builder.js';
import type { Questionnaire } from '../demo/questionnaire.js';
import type { WriteOutcome } from './outcome-map.js';

export const PROFILES = ['epro', 'uniform', 'hotkeys', 'overwrite', 'mixed'] as const;
export type ProfileName = (typeof PROFILES)[number];

/** The kind of traffic; plain data, which travels to threads. */
export type Profile =
  /** Each submission is a patient who answers the questionnaire, under one tag. */
  | { name: 'epro'; form: Questionnaire }
  /** Every key is written once. */
  | { name: 'uniform'; entries: number; valueBytes: number }
  /** Keys are written again and again: all alike (skew 0), or few of them mostly. */
  | {
      name: 'hotkeys' | 'overwrite' | 'mixed';
      keys: number;
      skew: number;
      /** Of submissions: so many are reads of one key. */
      readShare: number;
      entries: number;
      valueBytes: number;
    };

/** What a thread must know to make its share. */
export interface Share {
  readonly profile: Profile;
  readonly seed: number;
  /** Tells this run's values from those of others: 48 bits. */
  readonly run: number;
  readonly thread: number;
  readonly threads: number;
  /** Submissions of all threads, as far as that is bounded. */
  readonly submissions: number;
}

export type Verdict =
  | 'found'
  /** Acknowledged, and not there. */
  | 'lost'
  /** There is what must not be: damaged, superseded, or refused. */
  | 'wrong'
  | 'unknown-applied'
  | 'unknown-absent'
  /** Never acknowledged, and not there. */
  | 'absent';

/** A key to read back. */
export interface Check {
  /** The checker's own. */
  readonly key: Buffer;
  judge(value: Uint8Array | undefined): Verdict;
}

export interface WriteSubmission {
  readonly kind: 'write';
  readonly count: number;
  /** Adds the entries at these positions, rising; all of them if not given. */
  fill(into: RunBuilder, positions?: readonly number[]): void;
  /**
   * What became of an entry in the end. `isSure` is false when an attempt ended without an answer:
   * it may then take effect later.
   */
  end(position: number, outcome: Exclude<WriteOutcome, 'open'>, isSure: boolean): void;
}

export interface ReadSubmission extends Check {
  readonly kind: 'read';
}

/** The share of one thread. */
export interface Work {
  /** `index`: of the thread's own, rising by one from 0. */
  begin(index: number): WriteSubmission | ReadSubmission;
  /** How many keys `checks` gives for every one. */
  readonly checkCount: number;
  /** Keys to read back, every `step`th of those that there are; 1 = all. */
  checks(step: number): Iterable<Check>;
}
