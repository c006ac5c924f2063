/**
 * What one call is judged by: its principal's rights as they are at that moment. Every refusal, and
 * every act that is to be audited, has its line from here.
 */
import { RunReader } from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
import type { Credentials } from '../rpc/access.js';
import type { AuditSettings } from '../rpc/audit.js';
import type { Right } from '../rpc/door-security.js';
import type { AuditTrail } from './audit-trail.js';
import { cheaply } from './cheap-error.js';
import { type Principal, unauthenticated } from './principals.js';

const reader = new RunReader();

export class Authority {
  readonly #principal: Principal | undefined;
  readonly #credentials: Credentials;
  readonly #trail: AuditTrail;
  readonly #settings: AuditSettings;

  /** Without a principal everything is allowed, and only audited. */
  constructor(
    principal: Principal | undefined,
    credentials: Credentials,
    trail: AuditTrail,
    settings: AuditSettings,
  ) {
    this.#principal = principal;
    this.#credentials = credentials;
    this.#trail = trail;
    this.#settings = settings;
  }

  /** Undefined when the principal may; else the refusal, which has had its audit line. */
  refusal(operation: string, right: Right, key: Uint8Array): StormError | undefined {
    const principal = this.#principal;
    if (principal === undefined || principal.may(right, key)) return undefined;
    return this.refuse(operation, right, key);
  }

  /** As `refusal`, for all keys of a run; of a malformed one, what is wrong with it. */
  refusalOfRun(operation: string, right: Right, run: Uint8Array): StormError | undefined {
    const principal = this.#principal;
    if (principal === undefined || principal.mayAll(right)) return undefined;
    try {
      reader.reset(run, 0, run.length);
      while (reader.next()) {
        const key = run.subarray(reader.keyStart, reader.keyStart + reader.keyLength);
        if (!principal.may(right, key)) return this.refuse(operation, right, key);
      }
    } catch (error) {
      if (error instanceof StormError) return error;
      throw error;
    }
    return undefined;
  }

  /** As `refusal`, for everything from one key to another. */
  refusalOfSpan(
    operation: string,
    right: Right,
    first: Uint8Array,
    last: Uint8Array,
  ): StormError | undefined {
    const principal = this.#principal;
    if (principal === undefined || principal.maySpan(right, first, last)) return undefined;
    return this.refuse(operation, right, first);
  }

  get isRevoked(): boolean {
    return this.#principal?.isRevoked ?? false;
  }

  refuse(operation: string, right: Right, key?: Uint8Array): StormError {
    const { door, peer } = this.#credentials;
    const principal = this.#principal?.name;
    const isRevoked = this.isRevoked;
    const reason = isRevoked ? 'disabled' : `no-right-to-${right}`;
    const outcome = isRevoked ? 'UNAUTHENTICATED' : 'PERMISSION_DENIED';
    const record = { event: 'refused', door, peer, principal, operation, outcome, reason } as const;
    this.#trail.refusal({ ...record, key: this.#keyText(key) });
    if (isRevoked) return unauthenticated('disabled');
    const what = right === 'admin' ? 'administer' : `${right} there`;
    return cheaply(
      () =>
        new StormError(
          'PERMISSION_DENIED',
          `Principal ${principal} may not ${what}: the principals file of the server grants it no ` +
            `right to ${right} these keys`,
        ),
    );
  }

  /** Tells of a write that is over, where that is asked for. */
  wrote(operation: string, key: Uint8Array, entries: number, error: StormError | undefined): void {
    if (this.#settings.writes) this.act('write', operation, error, { entries, key });
  }

  act(
    event: 'write' | 'admin',
    operation: string,
    error: StormError | undefined,
    { entries, key }: { entries?: number; key?: Uint8Array } = {},
  ): void {
    const { door, peer } = this.#credentials;
    const principal = this.#principal?.name;
    const outcome = error?.code ?? 'ok';
    const record = { event, door, peer, principal, operation, outcome, entries };
    this.#trail.act({ ...record, key: this.#keyText(key) });
  }

  get auditsWrites(): boolean {
    return this.#settings.writes;
  }

  #keyText(key: Uint8Array | undefined): string | undefined {
    return key !== undefined && this.#settings.keys ? Buffer.from(key).toString() : undefined;
  }
}
