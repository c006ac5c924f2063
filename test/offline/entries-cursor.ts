/** A cursor over entries that a test writes down, in table order. */
import { LogEntries } from '../../src/offline/log-entries.js';
import { type EntryCursor, KIND_DELETE, KIND_PUT } from '../../src/storage/entry-cursor.js';

export interface GivenEntry {
  key: string;
  sequence: number;
  /** Undefined = delete. */
  value?: string;
  expiresAtMs?: number;
}

export function entriesCursor(entries: readonly GivenEntry[]): EntryCursor {
  const view = new LogEntries() as EntryCursor;
  let at = 0;
  const show = (next: number): void => {
    at = next;
    const entry = entries[at];
    view.valid = entry !== undefined;
    if (entry === undefined) return;
    view.keyBytes = Buffer.from(entry.key);
    view.keyStart = 0;
    view.keyLength = view.keyBytes.length;
    view.valueBytes = Buffer.from(entry.value ?? '');
    view.valueStart = 0;
    view.valueLength = view.valueBytes.length;
    view.kind = entry.value === undefined ? KIND_DELETE : KIND_PUT;
    view.sequence = entry.sequence;
    view.expiresAtMs = entry.expiresAtMs ?? 0;
  };
  view.seekToFirst = () => show(0);
  view.next = () => show(at + 1);
  return view;
}
