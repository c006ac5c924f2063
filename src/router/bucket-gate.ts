/**
 * Token buckets as a gate. A call pays with its entries: from its caller's own bucket first, then
 * from its class's, then from the global one, so that who asks too much takes nothing from others;
 * where a later bucket has not enough, the earlier ones get back what they gave.
 */
import { StormError } from '../base/errors.js';
import { type BucketSettings, TrafficMemory, type TrafficSettings } from '../rpc/traffic.js';
import { cheaply } from './cheap-error.js';
import type { Call, Caller, Gate } from './gates.js';
import type { TokenBuckets } from './token-buckets.js';

interface Step extends BucketSettings {
  /** Of a bucket that always exists; −1 = of the callers' table. */
  bucket: number;
  tag: number;
  /** Where in the table it was last. */
  place: number;
  /** For people: whose limit it is, and the option that sets it. */
  whose: string;
}

const CALLER_WHOSE = 'each caller (callerBucket)';

export class BucketGate implements Gate {
  readonly #buckets: TokenBuckets;
  readonly #nowMs: () => number;
  #settings: TrafficSettings;
  /** By caller and class; dropped with the caller, and when the settings change. */
  #stepsOf = new WeakMap<Caller, Map<string, readonly Step[]>>();
  #isOff = false;
  /** Calls and entries turned away. */
  refusedTotal = 0;

  constructor(buckets: TokenBuckets, settings: TrafficSettings, nowMs: () => number) {
    this.#buckets = buckets;
    this.#nowMs = nowMs;
    this.#settings = settings;
    this.configure(settings);
  }

  /** Buckets keep how far they are from being full. */
  configure(settings: TrafficSettings): void {
    this.#settings = settings;
    this.#stepsOf = new WeakMap();
    const all = [...Object.values(settings.buckets), ...settings.quotas];
    this.#isOff = all.every(({ rate }) => rate === 0);
  }

  get countsEntries(): boolean {
    return !this.#isOff;
  }

  enter(call: Call): StormError | undefined {
    if (this.#isOff) return undefined;
    const steps = this.#steps(call);
    const nowMs = this.#nowMs();
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i];
      if (step === undefined) break;
      const { burst, rate } = step;
      const waitMs = this.#buckets.take(this.#at(step, nowMs), call.entries, burst, rate, nowMs);
      if (waitMs === 0) continue;
      for (let k = 0; k < i; k++) this.#giveBack(steps[k], call.entries, nowMs);
      this.refusedTotal++;
      return overLimit(step, call, waitMs);
    }
    return undefined;
  }

  leave(): void {
    // What a call took is spent, however it ends.
  }

  charge(call: Call, entries: number): number {
    if (this.#isOff) return 0;
    const nowMs = this.#nowMs();
    let restMs = 0;
    for (const step of this.#steps(call)) {
      const { burst, rate } = step;
      const ms = this.#buckets.charge(this.#at(step, nowMs), entries, burst, rate, nowMs);
      if (ms > restMs) restMs = ms;
    }
    return restMs;
  }

  #at(step: Step, nowMs: number): number {
    if (step.bucket >= 0) return step.bucket;
    step.place = this.#buckets.bucketOfTag(step.tag, step.place, nowMs);
    return TrafficMemory.bucketOfPlace(step.place);
  }

  #giveBack(step: Step | undefined, entries: number, nowMs: number): void {
    if (step !== undefined) this.#buckets.giveBack(this.#at(step, nowMs), entries, step.rate);
  }

  #steps({ caller, kind }: Call): readonly Step[] {
    let byKind = this.#stepsOf.get(caller);
    if (byKind === undefined) {
      byKind = new Map();
      this.#stepsOf.set(caller, byKind);
    }
    let steps = byKind.get(kind);
    if (steps === undefined) {
      steps = this.#makeSteps(caller.name, kind);
      byKind.set(kind, steps);
    }
    return steps;
  }

  #makeSteps(name: string, kind: Call['kind']): Step[] {
    const { buckets, quotas } = this.#settings;
    const steps: Step[] = [];
    for (const quota of quotas) {
      if (quota.caller !== name || (quota.kind !== 'all' && quota.kind !== kind)) continue;
      const whose = `caller ${name}, ${quota.kind} (callerBucket.quotas)`;
      steps.push(this.#callerStep(`${quota.kind} ${name}`, quota, whose));
    }
    const hasQuota = quotas.some(({ caller }) => caller === name);
    // Who has a quota of its own is not bound by what every caller may.
    if (!hasQuota) steps.push(this.#callerStep(name, buckets.caller, CALLER_WHOSE));
    const fixed = (scope: 'global' | Call['kind'], option: string): Step => {
      const bucket = TrafficMemory.bucketOf(scope);
      return { ...buckets[scope], bucket, tag: 0, place: -1, whose: option };
    };
    steps.push(fixed(kind, `all calls of class ${kind} (${kind}Bucket)`));
    steps.push(fixed('global', 'all calls together (bucket)'));
    return steps.filter(({ rate }) => rate > 0);
  }

  #callerStep(name: string, { burst, rate }: BucketSettings, whose: string): Step {
    return { burst, rate, bucket: -1, tag: this.#buckets.tagOf(name), place: -1, whose };
  }
}

function overLimit({ whose, rate, burst }: Step, call: Call, waitMs: number): StormError {
  const text =
    `Over the limit of ${rate} entries per second, ${burst} at once, for ${whose}: ` +
    `${call.method} has ${call.entries}; try again in ${Math.ceil(waitMs)} ms`;
  return cheaply(() => new StormError('RESOURCE_EXHAUSTED', text, { retryAfterMs: waitMs }));
}
