/**
 * Who may call and what each may do, as the principals file says now. `update` changes the
 * principals in place: a call or stream that holds one sees at its next check that it lost a right,
 * or is gone. Owner: one router thread.
 *
 * Tokens are compared by their SHA-256: 256 random bits cannot be guessed, so the hash needs
 * neither salt nor rounds, which would only make every call dear and every wrong one dearer. What
 * is looked up is the hash of what a caller sent, which the caller cannot steer towards a stored
 * one; the comparison that decides is in constant time.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { StormError } from '../base/errors.js';
import type { Credentials } from '../rpc/access.js';
import type { Grant, PrincipalSettings, Right } from '../rpc/door-security.js';
import { cheaply } from './cheap-error.js';

/** What `stormkv token new` makes: nothing else is worth a look. */
const TOKEN_PATTERN = /^Bearer (skv_[A-Za-z0-9_-]{43})$/i;
const EVERY_KEY = Buffer.alloc(0);

/** Why nobody is let in; stable, for audit lines. */
export type Rejection =
  | 'no-credentials'
  | 'malformed-token'
  | 'unknown-token'
  | 'unknown-certificate'
  | 'disabled';

export class Principal {
  readonly name: string;
  #isGone = false;
  #isDisabled = false;
  readonly #prefixes: Record<Right, readonly Buffer[]> = {
    read: [],
    write: [],
    scan: [],
    admin: [],
  };

  constructor(settings: PrincipalSettings) {
    this.name = settings.name;
    this.become(settings);
  }

  /** Undefined = it is no longer in the file. */
  become(settings: PrincipalSettings | undefined): void {
    this.#isGone = settings === undefined;
    this.#isDisabled = settings?.disabled ?? false;
    for (const right of Object.keys(this.#prefixes) as Right[]) {
      this.#prefixes[right] = prefixesOf(settings?.grants ?? [], right);
    }
  }

  get isRevoked(): boolean {
    return this.#isGone || this.#isDisabled;
  }

  /** Has the right over every key. */
  mayAll(right: Right): boolean {
    return !this.isRevoked && this.#prefixes[right][0]?.length === 0;
  }

  /** Has the right over this key, or over all keys with this prefix. */
  may(right: Right, key: Uint8Array): boolean {
    if (this.isRevoked) return false;
    for (const prefix of this.#prefixes[right]) if (startsWith(key, prefix)) return true;
    return false;
  }

  /** Has the right over everything between two keys, because both are under one prefix. */
  maySpan(right: Right, first: Uint8Array, last: Uint8Array): boolean {
    if (this.isRevoked) return false;
    for (const prefix of this.#prefixes[right]) {
      if (startsWith(first, prefix) && startsWith(last, prefix)) return true;
    }
    return false;
  }
}

/** A grant of every key stands alone; `admin` concerns no keys. */
function prefixesOf(grants: readonly Grant[], right: Right): readonly Buffer[] {
  const own = grants.filter(({ rights }) => rights.includes(right));
  if (own.some(({ prefix }) => prefix === '') || (right === 'admin' && own.length > 0)) {
    return [EVERY_KEY];
  }
  return own.map(({ prefix }) => Buffer.from(prefix));
}

function startsWith(key: Uint8Array, prefix: Uint8Array): boolean {
  if (key.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (key[i] !== prefix[i]) return false;
  return true;
}

interface TokenEntry {
  hash: Buffer;
  principal: Principal;
}

export class Principals {
  readonly #byName = new Map<string, Principal>();
  readonly #byToken = new Map<string, TokenEntry>();
  readonly #byFingerprint = new Map<string, Principal>();
  readonly #byCommonName = new Map<string, Principal>();

  constructor(settings: readonly PrincipalSettings[]) {
    this.update(settings);
  }

  /** From now on these; whoever is not among them is revoked. */
  update(settings: readonly PrincipalSettings[]): void {
    for (const map of [this.#byToken, this.#byFingerprint, this.#byCommonName]) map.clear();
    const left = new Set(this.#byName.keys());
    for (const one of settings) {
      left.delete(one.name);
      const principal = this.#byName.get(one.name) ?? new Principal(one);
      principal.become(one);
      this.#byName.set(one.name, principal);
      for (const hash of one.tokenHashes) {
        this.#byToken.set(hash, { hash: Buffer.from(hash, 'hex'), principal });
      }
      for (const fingerprint of one.fingerprints) this.#byFingerprint.set(fingerprint, principal);
      for (const name of one.commonNames) this.#byCommonName.set(name, principal);
    }
    for (const name of left) {
      this.#byName.get(name)?.become(undefined);
      this.#byName.delete(name);
    }
  }

  /**
   * Whose credentials these are, or why nobody's. A token counts before a certificate: who sends
   * one that is not good is refused, whatever else they have.
   */
  find({ authorization, certificate }: Credentials): Principal | Rejection {
    const found =
      authorization === undefined ? this.#ofCertificate(certificate) : this.#ofToken(authorization);
    return found instanceof Principal && found.isRevoked ? 'disabled' : found;
  }

  #ofToken(authorization: string): Principal | Rejection {
    const token = TOKEN_PATTERN.exec(authorization)?.[1];
    if (token === undefined) return 'malformed-token';
    const hash = createHash('sha256').update(token).digest();
    const entry = this.#byToken.get(hash.toString('hex'));
    if (entry === undefined || !timingSafeEqual(entry.hash, hash)) return 'unknown-token';
    return entry.principal;
  }

  #ofCertificate(certificate: Credentials['certificate']): Principal | Rejection {
    if (certificate === undefined) return 'no-credentials';
    const { fingerprint, commonName } = certificate;
    const found = this.#byFingerprint.get(fingerprint);
    if (found !== undefined) return found;
    return this.#byCommonName.get(commonName) ?? 'unknown-certificate';
  }
}

const ADVICE: Record<Rejection, string> = {
  'no-credentials':
    'Who calls is not known: send a token (--token-file, authorization: Bearer TOKEN) or use a ' +
    'client certificate that the principals file names',
  'malformed-token': 'The authorization is not "Bearer " and a token made by: stormkv token new',
  'unknown-token': 'No principal has this token: was it replaced? Make one: stormkv token new',
  'unknown-certificate': "No principal has this certificate's common name or fingerprint",
  disabled: 'This principal is disabled',
};

export function unauthenticated(reason: Rejection): StormError {
  return cheaply(() => new StormError('UNAUTHENTICATED', ADVICE[reason]));
}
