import { StormError } from './errors.js';

/** A conditional write whose condition did not hold; nothing was written. */
export class VersionConflict extends StormError {
  /** The key's version now; 0 = it has no value. */
  readonly version: number;

  constructor(version: number) {
    const now = version === 0 ? 'the key has no value now' : `the key has version ${version} now`;
    super('ABORTED', `The condition does not hold: ${now}; nothing was written`);
    this.name = 'VersionConflict';
    this.version = version;
  }
}
