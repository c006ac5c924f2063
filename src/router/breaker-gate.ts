/**
 * Circuit breakers as a gate: per class, and where asked for, of all calls and of each caller. Only
 * faults of the server count. Calls that were turned away before they cost anything say nothing;
 * nor do those to a shard that is known to be down, because its seat refuses them just as quickly,
 * and other shards serve on.
 */
import { type ErrorCode, StormError } from '../base/errors.js';
import {
  BREAKER_WORDS,
  type BreakerScope,
  type BreakerSettings,
  CALL_CLASSES,
  type TrafficMemory,
} from '../rpc/traffic.js';
import { Breaker } from './breaker.js';
import { ShardDownError } from './call-errors.js';
import { cheaply } from './cheap-error.js';
import type { Call, Caller, Gate } from './gates.js';

const FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'UNAVAILABLE',
  'INTERNAL',
  'DEADLINE_EXCEEDED',
  'DATA_CORRUPTION',
]);

export class BreakerGate implements Gate {
  readonly #shared: ReadonlyMap<BreakerScope, Breaker>;
  readonly #nowMs: () => number;
  #ofCaller = new WeakMap<Caller, Breaker>();
  #settings: BreakerSettings;
  /** Shared ones in use, in the order in which they are asked. */
  #global: Breaker | undefined;
  #classes: readonly (Breaker | undefined)[] = [];
  #hasCallers = false;
  refusedTotal = 0;

  constructor(memory: TrafficMemory, settings: BreakerSettings, nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#settings = settings;
    this.#shared = new Map(
      (['global', ...CALL_CLASSES] as const).map((scope) => [
        scope,
        new Breaker(memory.breakerWords(scope), settings),
      ]),
    );
    this.configure(settings);
  }

  /** Breakers that are switched off, or whose window changes, begin anew. */
  configure(settings: BreakerSettings): void {
    const before = this.#settings;
    const isSame = before.windowMs === settings.windowMs && before.buckets === settings.buckets;
    this.#settings = settings;
    const { scopes } = settings;
    for (const [scope, breaker] of this.#shared) {
      breaker.settings = settings;
      if (!isSame || !scopes.includes(scope)) breaker.reset();
    }
    const inUse = (scope: BreakerScope) =>
      scopes.includes(scope) ? this.#shared.get(scope) : undefined;
    this.#global = inUse('global');
    this.#classes = CALL_CLASSES.map(inUse);
    this.#hasCallers = scopes.includes('caller');
    this.#ofCaller = new WeakMap();
  }

  enter(call: Call): StormError | undefined {
    const nowMs = this.#nowMs();
    call.beganMs = nowMs;
    for (let level = 0; level < LEVELS; level++) {
      const breaker = this.#breaker(call, level);
      if (breaker === undefined) continue;
      const passage = breaker.pass(nowMs);
      if (passage === 'probe') call.probes |= 1 << level;
      if (passage !== 'refused') continue;
      this.#takeBack(call, level, nowMs);
      this.refusedTotal++;
      return openError(this.#nameOf(call, level), breaker.retryAfterMs(nowMs));
    }
    return undefined;
  }

  leave(call: Call, error: StormError | undefined): void {
    const nowMs = this.#nowMs();
    const says = verdictOf(error);
    for (let level = 0; level < LEVELS; level++) {
      const breaker = this.#breaker(call, level);
      if (breaker === undefined) continue;
      const isProbe = (call.probes & (1 << level)) !== 0;
      if (isProbe) breaker.recordProbe(says, call.beganMs, nowMs);
      else if (says !== undefined) breaker.record(says, nowMs);
    }
  }

  #takeBack(call: Call, below: number, nowMs: number): void {
    for (let level = 0; level < below; level++) {
      if ((call.probes & (1 << level)) === 0) continue;
      this.#breaker(call, level)?.recordProbe(undefined, nowMs, nowMs);
    }
  }

  #breaker({ kind, caller }: Call, level: number): Breaker | undefined {
    if (level === 0) return this.#global;
    if (level === 1) return this.#classes[CALL_CLASSES.indexOf(kind)];
    if (!this.#hasCallers) return undefined;
    let own = this.#ofCaller.get(caller);
    if (own === undefined) {
      own = new Breaker(new Int32Array(BREAKER_WORDS), this.#settings);
      this.#ofCaller.set(caller, own);
    }
    return own;
  }

  #nameOf({ kind, caller }: Call, level: number): string {
    return level === 0 ? 'all calls' : level === 1 ? `class ${kind}` : `caller ${caller.name}`;
  }
}

/** Global, class, caller. */
const LEVELS = 3;

/** Whether the server was at fault; undefined where that cannot be told. */
function verdictOf(error: StormError | undefined): boolean | undefined {
  if (error === undefined) return false;
  if (error.code === 'RESOURCE_EXHAUSTED' || error instanceof ShardDownError) return undefined;
  return FAULTS.has(error.code);
}

function openError(whose: string, retryAfterMs: number): StormError {
  const text =
    `The circuit breaker of ${whose} is open, because too many of them failed (breaker.ratio): ` +
    'try again a little later; stormkv stats shows it';
  return cheaply(() => new StormError('UNAVAILABLE', text, { retryAfterMs }));
}
