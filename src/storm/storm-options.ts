/** What a storm can be told, for `stormkv storm` and for programs that measure with it. */
import { StormError } from '../base/errors.js';
import { type ArrivalCurve, pushCurve, recordedCurve, steadyCurve } from './arrival-curve.js';
import { sizesOf, type WorkSizes } from './make-work.js';
import { HEAD_BYTES } from './numbered-value.js';
import type { DoorName } from './storm-door.js';
import type { VerifyMode } from './verify.js';
import type { Profile } from './workload.js';

/** When submissions are made. */
export type Pace =
  /** So many entries (and reads) per second, whatever becomes of those before. */
  | { kind: 'rate'; perSecond: number }
  /** As patients answer a push notification and its reminders; so many submissions in all. */
  | { kind: 'push'; submissions: number }
  /** So many submissions in each second, as was recorded. */
  | { kind: 'recorded'; perSecond: readonly number[] }
  /** So many callers, each waiting for its answer before it goes on. */
  | { kind: 'callers'; count: number };

export interface StormOptions {
  readonly profile: Profile;
  readonly pace: Pace;
  /** gRPC addresses, HOST:PORT, of one server or of several. */
  readonly targets: readonly string[];
  /** HTTP addresses; needed by the door `http` alone. */
  readonly httpTargets: readonly string[];
  readonly door: DoorName;
  /** Of the storm itself; a recorded pace brings its own. */
  readonly durationS: number;
  /** Its first seconds do not count in `measured` and in the latencies of the whole. */
  readonly warmUpS: number;
  /** A submission takes part only if its number is below; Infinity = as many as the pace brings. */
  readonly submissionsMax: number;
  readonly threads: number;
  /** To each target, of each thread. */
  readonly connections: number;
  /** A write is given up so long after it was due. */
  readonly patienceS: number;
  readonly verify: VerifyMode;
  /** The same seed makes the same submissions at the same moments. */
  readonly seed: number;
}

/** Far more than any run makes; keeps arithmetic in whole numbers. */
const SUBMISSIONS_MAX = 2 ** 40;

/** What follows from the options. */
export interface StormPlan {
  /** Undefined for callers. */
  readonly curve: ArrivalCurve | undefined;
  readonly submissions: number;
  readonly durationMs: number;
  readonly sizes: WorkSizes;
}

/** Checks the options and works out what they mean. Throws INVALID_ARGUMENT. */
export function planStorm(options: StormOptions): StormPlan {
  const { profile, pace, submissionsMax, seed } = options;
  check(options);
  const durationMs =
    pace.kind === 'recorded' ? pace.perSecond.length * 1000 : options.durationS * 1000;
  const sizes = sizesOf(profile, seed, Math.min(submissionsMax, SUBMISSIONS_MAX));
  const planned = plannedOf(pace, durationMs / 1000, sizes);
  const submissions = Math.max(1, Math.min(planned, submissionsMax, SUBMISSIONS_MAX));
  return { curve: curveOf(pace, durationMs), submissions, durationMs, sizes };
}

function plannedOf(pace: Pace, seconds: number, sizes: WorkSizes): number {
  switch (pace.kind) {
    case 'callers':
      return Number.POSITIVE_INFINITY;
    case 'push':
      return pace.submissions;
    case 'recorded':
      return pace.perSecond.reduce((sum, count) => sum + count, 0);
    case 'rate': {
      const { readShare, entriesPerSubmission } = sizes;
      const mean = readShare + (1 - readShare) * Math.max(1, entriesPerSubmission.mean);
      return Math.round((pace.perSecond * seconds) / mean);
    }
  }
}

function curveOf(pace: Pace, durationMs: number): ArrivalCurve | undefined {
  switch (pace.kind) {
    case 'callers':
      return undefined;
    case 'push':
      return pushCurve(durationMs);
    case 'recorded':
      return recordedCurve(pace.perSecond);
    case 'rate':
      return steadyCurve(durationMs);
  }
}

function check({
  profile,
  pace,
  targets,
  httpTargets,
  door,
  threads,
  ...rest
}: StormOptions): void {
  if (targets.length === 0) throw invalid('A storm needs the gRPC address of a server');
  if (door === 'http' && httpTargets.length === 0) {
    throw invalid('The door http needs the HTTP address of the server (--http-target)');
  }
  if ('valueBytes' in profile && profile.valueBytes < HEAD_BYTES) {
    const text = `Values must have ${HEAD_BYTES} bytes at least, to say where they come from`;
    throw invalid(`${text}: found ${profile.valueBytes}`);
  }
  if ('keys' in profile && profile.keys < threads) {
    throw invalid(`There must be a key for each thread: ${profile.keys} keys, ${threads} threads`);
  }
  if (profile.name === 'epro' && !Number.isFinite(rest.submissionsMax)) {
    throw invalid('The profile epro needs a number of patients');
  }
  if (pace.kind !== 'recorded' && rest.warmUpS >= rest.durationS) {
    throw invalid(
      `A warm-up of ${rest.warmUpS} s leaves nothing of ${rest.durationS} s to measure`,
    );
  }
}

function invalid(text: string): StormError {
  return new StormError('INVALID_ARGUMENT', text);
}
