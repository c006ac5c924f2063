import { type EntryKind, KIND_PUT } from './entry-cursor.js';

const EMPTY = new Uint8Array(0);

/**
 * Where a lookup leaves what it found; reused from call to call so that reads allocate nothing. The
 * value's bytes are borrowed: they stay valid until the next lookup, write or version change.
 */
export class LookupResult {
  kind: EntryKind = KIND_PUT;
  sequence = 0;
  /** Absolute wall time in ms; 0 = never. */
  expiresAtMs = 0;
  valueBytes: Uint8Array = EMPTY;
  valueStart = 0;
  valueLength = 0;
}
