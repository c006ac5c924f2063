/**
 * From credentials to operations that are authorized and audited, in front of those that are
 * governed: who may not do something is told so before it has cost its place in any queue. With
 * principals nobody else gets in; without, everybody may do everything, and only acts are audited.
 * Owner: one router thread.
 */
import type { StormError } from '../base/errors.js';
import type { Access, Credentials } from '../rpc/access.js';
import type { AdminOperations } from '../rpc/admin-operations.js';
import type { AuditSettings } from '../rpc/audit.js';
import type { PrincipalSettings } from '../rpc/door-security.js';
import type { KvOperations } from '../rpc/kv-operations.js';
import { Admin } from './admin.js';
import type { AuditTrail } from './audit-trail.js';
import { Authority } from './authority.js';
import { AuthorizedDesk } from './authorized-desk.js';
import { AuthorizedOperations } from './authorized-operations.js';
import { Principal, Principals, unauthenticated } from './principals.js';
import type { Desk } from './supervisor-calls.js';

/** What is asked of the access behind, which knows callers by `Credentials.principal` or peer. */
export interface InnerAccess {
  kv(credentials: Credentials): KvOperations;
  desk(credentials: Credentials): Desk;
}

export interface SecureAccessOptions {
  inner: InnerAccess;
  /** Undefined = everybody may do everything. */
  principals: readonly PrincipalSettings[] | undefined;
  trail: AuditTrail;
  audit: AuditSettings;
  /** Whether figures need no principal. */
  metricsPublic: boolean;
}

export class SecureAccess implements Access {
  readonly #options: SecureAccessOptions;
  readonly #principals: Principals | undefined;

  constructor(options: SecureAccessOptions) {
    this.#options = options;
    this.#principals = options.principals && new Principals(options.principals);
  }

  /** From now on these, also for streams that are open. */
  update(principals: readonly PrincipalSettings[] | undefined): void {
    this.#principals?.update(principals ?? []);
  }

  authenticate(credentials: Credentials): void {
    this.#principalOf(credentials);
  }

  kv(credentials: Credentials): KvOperations {
    const { inner, audit } = this.#options;
    const principal = this.#principalOf(credentials);
    const named = nameIn(credentials, principal);
    if (principal === undefined && !audit.writes) return inner.kv(named);
    return new AuthorizedOperations(inner.kv(named), this.#authority(principal, credentials));
  }

  admin(credentials: Credentials): AdminOperations {
    const principal = this.#principalOf(credentials);
    const desk = this.#options.inner.desk(nameIn(credentials, principal));
    return new Admin(new AuthorizedDesk(desk, this.#authority(principal, credentials)));
  }

  observer(credentials: Credentials): Pick<AdminOperations, 'stats'> {
    if (!this.#options.metricsPublic) return this.admin(credentials);
    return new Admin(this.#options.inner.desk(credentials));
  }

  get observersAreOpen(): boolean {
    return this.#principals === undefined || this.#options.metricsPublic;
  }

  #principalOf(credentials: Credentials): Principal | undefined {
    if (this.#principals === undefined) return undefined;
    const found = this.#principals.find(credentials);
    if (found instanceof Principal) return found;
    const { door, peer, certificate } = credentials;
    const outcome = 'UNAUTHENTICATED';
    const principal = certificate?.commonName;
    const record = { event: 'refused', door, peer, principal, outcome, reason: found } as const;
    this.#options.trail.refusal(record);
    const error: StormError = unauthenticated(found);
    throw error;
  }

  #authority(principal: Principal | undefined, credentials: Credentials): Authority {
    const { trail, audit } = this.#options;
    return new Authority(principal, credentials, trail, audit);
  }
}

function nameIn(credentials: Credentials, principal: Principal | undefined): Credentials {
  return principal === undefined ? credentials : { ...credentials, principal: principal.name };
}
