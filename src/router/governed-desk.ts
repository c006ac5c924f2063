/** Questions of one operator: each passes the gates, as every call does. */
import type { AdminQuestion } from '../rpc/admin-operations.js';
import { Call, type Caller, type Gates } from './gates.js';
import type { Ask, Desk } from './supervisor-calls.js';

export class GovernedDesk implements Desk {
  readonly #inner: Desk;
  readonly #gates: Gates;
  readonly #caller: Caller;

  constructor(inner: Desk, gates: Gates, caller: Caller) {
    this.#inner = inner;
    this.#gates = gates;
    this.#caller = caller;
  }

  readonly ask: Ask = (question, timeoutMs, done) => {
    const call = new Call(methodOf(question), 'admin', this.#caller, 1);
    const refusal = this.#gates.enter(call);
    if (refusal !== undefined) {
      done(refusal, undefined);
      return;
    }
    this.#inner.ask(question, timeoutMs, (error, answer) => {
      this.#gates.leave(call, error);
      done(error, answer);
    });
  };
}

/** `stats` → `Stats`. */
function methodOf({ kind }: AdminQuestion): string {
  return kind.charAt(0).toUpperCase() + kind.slice(1);
}
