import { RunReader } from '../../src/base/entry-run.js';

/** The entries of a run, with copies of their bytes. */
export function eachEntry(
  run: Uint8Array,
  take: (position: number, key: string, value: Buffer) => void,
): void {
  const bytes = Buffer.from(run);
  const reader = new RunReader();
  reader.reset(bytes, 0, bytes.length);
  for (let position = 0; reader.next(); position++) {
    const { keyStart, keyLength, valueStart, valueLength } = reader;
    const key = bytes.toString('latin1', keyStart, keyStart + keyLength);
    take(position, key, bytes.subarray(valueStart, valueStart + valueLength));
  }
}
