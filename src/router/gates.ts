/**
 * What every call of every door passes before it costs anything: a row of gates, asked in order.
 * The first that refuses ends the row; each gate that let a call in hears of its end exactly once.
 * Owner: one router thread. One object per call, nothing per entry.
 */
import type { StormError } from '../base/errors.js';
import type { CallClass } from '../rpc/traffic.js';

/** Who calls: an authenticated principal, else the other end's address. */
export interface Caller {
  readonly name: string;
}

export class Call {
  /** As in the proto files: `Set`, `BatchGet`, `Stats`, … */
  readonly method: string;
  readonly kind: CallClass;
  readonly caller: Caller;
  /** Keys that it writes or reads; of a scan those delivered so far. */
  entries: number;
  /** For a gate that measures: when it began, on the thread's monotonic clock. */
  beganMs = 0;
  /** For the breakers: a bit for each of which the call is a probe. */
  probes = 0;

  constructor(method: string, kind: CallClass, caller: Caller, entries: number) {
    this.method = method;
    this.kind = kind;
    this.caller = caller;
    this.entries = entries;
  }
}

export interface Gate {
  /** Why the call may not go on; undefined lets it in. */
  enter(call: Call): StormError | undefined;
  /** It is over; `error` is also the refusal of a later gate. */
  leave(call: Call, error: StormError | undefined): void;
  /** It turned out to have so many more entries: how long its caller must rest now, in ms. */
  charge?(call: Call, entries: number): number;
  /** Whether it must know the entries of a batch; it is spared counting them if none does. */
  readonly countsEntries?: boolean;
}

export class Gates {
  readonly #gates: readonly Gate[];

  constructor(gates: readonly Gate[]) {
    this.#gates = gates;
  }

  get countsEntries(): boolean {
    return this.#gates.some(({ countsEntries }) => countsEntries === true);
  }

  enter(call: Call): StormError | undefined {
    const gates = this.#gates;
    for (let i = 0; i < gates.length; i++) {
      const refusal = gates[i]?.enter(call);
      if (refusal === undefined) continue;
      for (let k = i - 1; k >= 0; k--) gates[k]?.leave(call, refusal);
      return refusal;
    }
    return undefined;
  }

  /** Exactly once for each call that was let in. */
  leave(call: Call, error: StormError | undefined): void {
    const gates = this.#gates;
    for (let k = gates.length - 1; k >= 0; k--) gates[k]?.leave(call, error);
  }

  charge(call: Call, entries: number): number {
    call.entries += entries;
    let restMs = 0;
    for (const gate of this.#gates) {
      const ms = gate.charge?.(call, entries) ?? 0;
      if (ms > restMs) restMs = ms;
    }
    return restMs;
  }
}
