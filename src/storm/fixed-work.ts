/** Work whose every key is written once: what it must hold can be made again from its number. */

import { assert } from '../base/assert.js';
import type { RunBuilder } from '../base/run-builder.js';
import { answersOf } from '../demo/answers.js';
import type { Questionnaire } from '../demo/questionnaire.js';
import { NumberedKeys } from './numbered-keys.js';
import { NumberedValues } from './numbered-value.js';
import { OutcomeMap, type WriteOutcome } from './outcome-map.js';
import type { Check, Share, Verdict, Work, WriteSubmission } from './workload.js';

/** Entries of a submission by its number, the same whenever they are asked for. */
export interface EntrySource {
  /** More than any submission has. */
  readonly entriesMax: number;
  /** Keys and values are views, until the next call. Returns how many entries there are. */
  each(submission: number, take: (key: Buffer, value: Buffer, position: number) => void): number;
  countOf(submission: number): number;
  /** Whether the value is not the run's own, but what was there before. */
  isOlder(value: Uint8Array): boolean;
}

export class FixedWork implements Work {
  readonly #source: EntrySource;
  readonly #share: Pick<Share, 'thread' | 'threads'>;
  readonly #outcomes = new OutcomeMap();
  #begun = 0;
  #entries = 0;

  constructor(source: EntrySource, share: Pick<Share, 'thread' | 'threads'>) {
    this.#source = source;
    this.#share = share;
  }

  get checkCount(): number {
    return this.#entries;
  }

  begin(index: number): WriteSubmission {
    assert(index === this.#begun, 'submissions begin in order');
    this.#begun++;
    const number = this.#numberOf(index);
    const count = this.#source.countOf(number);
    this.#entries += count;
    return {
      kind: 'write',
      count,
      fill: (into, positions) => this.#fill(number, into, positions),
      end: (position, outcome) => this.#outcomes.set(this.#placeOf(index, position), outcome),
    };
  }

  *checks(step: number): Iterable<Check> {
    let turn = 0;
    for (let index = 0; index < this.#begun; index++) {
      const checks: Check[] = [];
      this.#source.each(this.#numberOf(index), (key, value, position) => {
        if (turn++ % step !== 0) return;
        const outcome = this.#outcomes.get(this.#placeOf(index, position));
        const expected = Buffer.from(value);
        const judge = (found: Uint8Array | undefined) => this.#judge(outcome, expected, found);
        checks.push({ key: Buffer.from(key), judge });
      });
      yield* checks;
    }
  }

  #fill(number: number, into: RunBuilder, positions: readonly number[] | undefined): void {
    let next = 0;
    this.#source.each(number, (key, value, position) => {
      if (positions !== undefined && positions[next] !== position) return;
      next++;
      into.put(key, value);
    });
  }

  #judge(outcome: WriteOutcome, expected: Buffer, found: Uint8Array | undefined): Verdict {
    const isOurs = found !== undefined && !this.#source.isOlder(found);
    if (isOurs && !expected.equals(found)) return 'wrong';
    switch (outcome) {
      case 'acknowledged':
        return isOurs ? 'found' : 'lost';
      case 'unknown':
        return isOurs ? 'unknown-applied' : 'unknown-absent';
      default:
        return isOurs ? 'wrong' : 'absent';
    }
  }

  #numberOf(index: number): number {
    return index * this.#share.threads + this.#share.thread;
  }

  #placeOf(index: number, position: number): number {
    return index * this.#source.entriesMax + position;
  }
}

/** Keys all over the key space, in submissions of so many entries. */
export function uniformEntries(
  seed: number,
  run: number,
  entries: number,
  valueBytes: number,
): EntrySource {
  const keys = new NumberedKeys('u', seed);
  const values = new NumberedValues(run, valueBytes);
  return {
    entriesMax: entries,
    countOf: () => entries,
    each(submission, take) {
      for (let i = 0; i < entries; i++) {
        const number = submission * entries + i;
        take(keys.keyView(number), values.valueView(number, number), i);
      }
      return entries;
    },
    isOlder: (value) => values.isOlder(value),
  };
}

/**
 * The filled-in questionnaire of one patient for each submission, all under the patient's tag; each
 * answer names the run. Patients answer in an order of their own, not in that of their numbers.
 */
export function answerEntries(
  form: Questionnaire,
  seed: number,
  run: number,
  patients: number,
): EntrySource {
  const step = strideOf(patients);
  const mark = `,"run":"${run.toString(36)}"}`;
  const answers = (submission: number) => answersOf(form, (submission * step) % patients, seed);
  return {
    entriesMax: form.questions.length,
    countOf: (submission) => answers(submission).length,
    each(submission, take) {
      const list = answers(submission);
      list.forEach(({ key, value }, position) => {
        const text = `${value.toString('utf8').slice(0, -1)}${mark}`;
        take(Buffer.from(key, 'utf8'), Buffer.from(text, 'utf8'), position);
      });
      return list.length;
    },
    isOlder(value) {
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      const end = bytes.subarray(-RUN_MARK_BYTES_MAX).toString('utf8');
      return !end.includes(mark) && /,"run":"[0-9a-z]+"\}$/.test(end);
    },
  };
}

const RUN_MARK_BYTES_MAX = 40;

/** Steps of this size visit every one of `count` once: near the golden section, and coprime. */
function strideOf(count: number): number {
  let step = Math.max(1, Math.round(count * 0.618));
  while (divisorOf(step, count) !== 1) step++;
  return step;
}

function divisorOf(a: number, b: number): number {
  return b === 0 ? a : divisorOf(b, a % b);
}
