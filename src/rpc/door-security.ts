/**
 * What the main thread tells the routers about who may come in: certificates and principals, read
 * and checked there (supervisor/security-files.ts), sent at the start and again at every change.
 */
import type { SecureContextOptions } from 'node:tls';

export type ClientAuth = 'none' | 'request' | 'require';

/** Texts in PEM form. */
export interface TlsSettings {
  cert: string;
  key: string;
  /** Empty with clientAuth `none`. */
  clientCa: string;
  clientAuth: ClientAuth;
}

export type Right = 'read' | 'write' | 'scan' | 'admin';
export const RIGHTS: readonly Right[] = ['read', 'write', 'scan', 'admin'];

/** Rights over the keys with a prefix; `admin` concerns no keys. */
export interface Grant {
  rights: readonly Right[];
  /** Empty = every key. */
  prefix: string;
}

/** Somebody who may call. */
export interface PrincipalSettings {
  name: string;
  disabled: boolean;
  /** SHA-256 of its tokens, as 64 lower-case hexadecimal digits. */
  tokenHashes: readonly string[];
  /** Common names and SHA-256 fingerprints (lower-case digits) of its certificates. */
  commonNames: readonly string[];
  fingerprints: readonly string[];
  grants: readonly Grant[];
}

export interface SecuritySettings {
  /** Undefined = plain text. Never changes from or to that while the process runs. */
  tls: TlsSettings | undefined;
  /** Undefined = no principals file: everybody may do everything. Likewise. */
  principals: readonly PrincipalSettings[] | undefined;
}

export const OPEN_DOORS: SecuritySettings = { tls: undefined, principals: undefined };

/** Node's options for a listener with these settings. */
export interface ListenerTlsOptions extends SecureContextOptions {
  requestCert: boolean;
  rejectUnauthorized: boolean;
  handshakeTimeout?: number;
  ALPNProtocols?: string[];
}

/** SSL_OP_NO_TICKET: a resumed session would skip the look at the certificate. */
const NO_TICKETS = 0x4000;

/**
 * TLS 1.3 and nothing older. A certificate that is not good is let through the handshake and judged
 * by DoorGuard, which can say who was turned away and why.
 */
export function listenerOptions({ cert, key, clientCa, clientAuth }: TlsSettings) {
  return {
    cert,
    key,
    ...(clientCa === '' ? {} : { ca: clientCa }),
    requestCert: clientAuth !== 'none',
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    secureOptions: NO_TICKETS,
  } as const satisfies ListenerTlsOptions;
}
