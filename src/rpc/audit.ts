/** What an audit line says. No values ever, and keys only where the option audit.keys asks. */
export interface AuditRecord {
  /**
   * `connection`: turned away before a call. `refused`: a call that may not be. `admin`, `write`:
   * acts, told at their end. `security`: certificates or principals were read again.
   */
  event: 'connection' | 'refused' | 'admin' | 'write' | 'security';
  door?: 'grpc' | 'http' | undefined;
  /** The other end's address. */
  peer?: string | undefined;
  /** Who it was, where that is known. */
  principal?: string | undefined;
  /** The method, as in the proto files. */
  operation?: string | undefined;
  /** `ok`, or the code of the error. */
  outcome?: string | undefined;
  /** Why, as a stable word. */
  reason?: string | undefined;
  /** Alike and in a row, when more than one. */
  count?: number | undefined;
  entries?: number | undefined;
  /** The key or prefix; of a batch the first key. */
  key?: string | undefined;
}

/** Where audit lines go. Must not throw. */
export type Audit = (record: AuditRecord) => void;

export interface AuditSettings {
  writes: boolean;
  keys: boolean;
}
