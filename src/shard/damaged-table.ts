/**
 * Stands in the place of a table that is out of service: whatever needs its key range gets the
 * error, everything else never touches it. The file is not opened, so a shard starts with it.
 */
import { CorruptionError, StormError } from '../base/errors.js';
import type { TableMeta } from '../base/table-meta.js';
import {
  type EntryCursor,
  type EntryView,
  KIND_PUT,
  type ReverseCursor,
} from '../storage/entry-cursor.js';
import { tableFileName } from '../storage/file-names.js';
import { compareBytes } from '../storage/key-bytes.js';
import type { LookupKey } from '../storage/lookup-key.js';

/** Of an entry that nobody can read: newer than all, so that nothing older is taken for it. */
export const UNREADABLE = 2 ** 53;

export class DamagedTable {
  readonly isMapped = false;
  readonly #meta: TableMeta;
  readonly #path: string;

  constructor(dir: string, meta: TableMeta) {
    this.#meta = meta;
    this.#path = `${dir}/${tableFileName(meta.number)}`;
  }

  /** False outside of its range; throws within, unless the snapshot is older than all of it. */
  get({ bytes, start, length }: LookupKey, snapshot: number): boolean {
    const { minKey, maxKey, minSequence } = this.#meta;
    if (snapshot < minSequence) return false;
    if (compareBytes(bytes, start, length, minKey, 0, minKey.length) < 0) return false;
    if (compareBytes(bytes, start, length, maxKey, 0, maxKey.length) > 0) return false;
    throw this.#error();
  }

  cursor(): EntryCursor {
    return new DamagedCursor(this.#meta, this.#error().message);
  }

  reverseCursor(): ReverseCursor {
    return new DamagedReverseCursor(this.#meta, this.#error().message);
  }

  close(): void {}

  #error(): CorruptionError {
    return new CorruptionError(
      'The table is damaged and out of service for its keys; restore a backup, or salvage what is ' +
        'left (docs/BACKUP.md)',
      { file: this.#path, offset: 0 },
    );
  }
}

/** Whoever takes an entry that a cursor shows calls this when its sequence is UNREADABLE. */
export function unreadableError({ valueBytes }: EntryView): StormError {
  return new StormError('DATA_CORRUPTION', Buffer.from(valueBytes).toString('utf8'));
}

/** Shows one entry at the edge of the range that it cannot read. */
class DamagedPosition implements EntryView {
  valid = false;
  keyBytes: Uint8Array;
  readonly keyStart = 0;
  keyLength = 0;
  readonly sequence = UNREADABLE;
  readonly kind = KIND_PUT;
  readonly expiresAtMs = 0;
  readonly valueBytes: Uint8Array;
  readonly valueStart = 0;
  readonly valueLength = 0;
  protected readonly meta: TableMeta;

  constructor(meta: TableMeta, message: string) {
    this.meta = meta;
    this.valueBytes = Buffer.from(message);
    this.keyBytes = meta.minKey;
  }

  protected showAt(key: Uint8Array): void {
    this.keyBytes = key;
    this.keyLength = key.length;
    this.valid = true;
  }

  protected refuse(): never {
    throw unreadableError(this);
  }
}

class DamagedCursor extends DamagedPosition implements EntryCursor {
  seekToFirst(): void {
    this.showAt(this.meta.minKey);
  }

  seek(key: Uint8Array): void {
    const { minKey, maxKey } = this.meta;
    this.valid = false;
    if (Buffer.compare(key, maxKey) > 0) return;
    this.showAt(Buffer.compare(key, minKey) > 0 ? key : minKey);
  }

  next(): void {
    this.refuse();
  }
}

class DamagedReverseCursor extends DamagedPosition implements ReverseCursor {
  seekToLast(_snapshot: number): void {
    this.showAt(this.meta.maxKey);
  }

  seekBefore(key: Uint8Array, _snapshot: number): void {
    const { minKey, maxKey } = this.meta;
    this.valid = false;
    if (Buffer.compare(key, minKey) <= 0) return;
    this.showAt(Buffer.compare(key, maxKey) < 0 ? key : maxKey);
  }

  previous(): void {
    this.refuse();
  }
}
