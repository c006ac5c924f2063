/**
 * Who calls, and what a caller may ask of the store. A door knows the credentials of a call and no
 * more; `Access` turns them into operations bound to that caller: judged, limited, counted.
 */
import type { AdminOperations } from './admin-operations.js';
import type { KvOperations } from './kv-operations.js';

/** The subject of a client certificate that TLS has verified. */
export interface ClientCertificate {
  readonly commonName: string;
  /** SHA-256 over its DER form, as lower-case hexadecimal digits. */
  readonly fingerprint: string;
}

/** What a call brings along; nothing of it is judged yet. */
export interface Credentials {
  readonly door: 'grpc' | 'http';
  /** The other end's address without its port; empty when the connection is gone. */
  readonly peer: string;
  /** The header or metadata `authorization`, as it came. */
  readonly authorization: string | undefined;
  readonly certificate: ClientCertificate | undefined;
  /** Who it is, set by whoever has judged the rest. */
  readonly principal?: string;
}

export interface Access {
  /** Once for each call, or stream. Throws UNAUTHENTICATED for credentials that are not good. */
  kv(credentials: Credentials): KvOperations;
  /** Likewise. */
  admin(credentials: Credentials): AdminOperations;
  /** Throws UNAUTHENTICATED likewise: for doors that can know before a body has come. */
  authenticate?(credentials: Credentials): void;
  /** For figures, which may be open to everybody; as `admin` where it is left out. */
  observer?(credentials: Credentials): Pick<AdminOperations, 'stats'>;
  /** Whether `observer` lets in everybody. */
  readonly observersAreOpen?: boolean;
}

/** Lets everybody do everything. */
export function openAccess(operations: KvOperations, admin: AdminOperations): Access {
  return { kv: () => operations, admin: () => admin };
}
