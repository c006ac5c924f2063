/**
 * From credentials to operations bound to their caller: governed by the gates, and remembered, so
 * that a call costs a look into a map. Bounded: who has not called for longest is forgotten.
 * Owner: one router thread.
 */
import type { Access, Credentials } from '../rpc/access.js';
import type { AdminOperations } from '../rpc/admin-operations.js';
import type { KvOperations } from '../rpc/kv-operations.js';
import { Admin } from './admin.js';
import type { Caller, Gates } from './gates.js';
import { GovernedDesk } from './governed-desk.js';
import { type After, GovernedOperations } from './governed-operations.js';
import type { Desk } from './supervisor-calls.js';

export interface AccessOptions {
  operations: KvOperations;
  /** Answers questions of operators. */
  desk: Desk;
  gates: Gates;
  after: After;
  /** Callers remembered at once. */
  callersMax: number;
}

/** A caller, and what it calls. */
interface Bound {
  kv: KvOperations;
  desk: Desk;
  admin: AdminOperations;
}

/** Whose address is not known: the connection is gone already. */
const NOBODY = 'unknown';

export class GovernedAccess implements Access {
  readonly #options: AccessOptions;
  /** By name; the one that called last is the last. */
  readonly #bound = new Map<string, Bound>();
  #lastName = '';
  #last: Bound | undefined;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  kv(credentials: Credentials): KvOperations {
    return this.#boundTo(credentials).kv;
  }

  admin(credentials: Credentials): AdminOperations {
    return this.#boundTo(credentials).admin;
  }

  desk(credentials: Credentials): Desk {
    return this.#boundTo(credentials).desk;
  }

  /** Callers remembered now. */
  get callerCount(): number {
    return this.#bound.size;
  }

  #boundTo({ peer, principal }: Credentials): Bound {
    const name = principal ?? (peer === '' ? NOBODY : peer);
    if (this.#last !== undefined && name === this.#lastName) return this.#last;
    const bound = this.#bound.get(name) ?? this.#bind({ name });
    this.#bound.delete(name);
    this.#bound.set(name, bound);
    this.#lastName = name;
    this.#last = bound;
    this.#forgetOldest();
    return bound;
  }

  #bind(caller: Caller): Bound {
    const { operations, desk, gates, after } = this.#options;
    const governed = new GovernedDesk(desk, gates, caller);
    return {
      kv: new GovernedOperations(operations, gates, caller, after),
      desk: governed,
      admin: new Admin(governed),
    };
  }

  #forgetOldest(): void {
    if (this.#bound.size <= this.#options.callersMax) return;
    for (const name of this.#bound.keys()) {
      this.#bound.delete(name);
      return;
    }
  }
}
