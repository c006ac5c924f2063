/** What a check of stored data has to say, and how errors become that. */
import { CorruptionError, messageOf } from '../base/errors.js';

export interface Finding {
  /**
   * `damage`: bytes that were promised are not what they were. `notice`: nothing is lost, as far as
   * can be told; what a crash leaves behind, for one.
   */
  severity: 'damage' | 'notice';
  file: string;
  offset: number;
  what: string;
}

export type FindingSink = (finding: Finding) => void;

/** Runs `read` and returns what it does; a failure is reported as damage at its site. */
export function reporting<T>(
  found: FindingSink,
  file: string,
  offset: number,
  read: () => T,
): T | undefined {
  try {
    return read();
  } catch (error) {
    found(findingOf(error, file, offset));
    return undefined;
  }
}

/** The error as a finding; one that names no site gets the one given. */
export function findingOf(error: unknown, file: string, offset: number): Finding {
  if (!(error instanceof CorruptionError)) {
    return { severity: 'damage', file, offset, what: messageOf(error) };
  }
  const { site } = error;
  const tail = error.message.lastIndexOf(' (file ');
  const what = tail < 0 ? error.message : error.message.slice(0, tail);
  return { severity: 'damage', file: site.file, offset: site.offset, what };
}

/** Offset of the first byte in [start, end) that is not zero, or -1. */
export function firstNonZero(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return at;
  return -1;
}
