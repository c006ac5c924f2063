import type { StormError } from '../base/errors.js';
import { VersionConflict } from '../base/version-conflict.js';
import type { WriteDone } from '../rpc/kv-operations.js';
import { MESSAGE_WRITTEN, type ReplyView } from '../rpc/messages.js';
import { MESSAGE_CONDITION_FAILED } from '../rpc/write-messages.js';
import { damagedError } from './call-errors.js';
import type { CallHandler } from './in-flight-table.js';

/** A write of one entry with a condition: durable, refused by the condition, or failed. */
export class ConditionalWrite implements CallHandler {
  readonly isWrite = true;
  readonly #done: WriteDone;

  constructor(done: WriteDone) {
    this.#done = done;
  }

  reply({ type, sequence, conflict }: ReplyView): void {
    if (type === MESSAGE_WRITTEN) this.#done(undefined, sequence);
    else if (type === MESSAGE_CONDITION_FAILED && conflict !== undefined) {
      this.#done(new VersionConflict(conflict.version), 0);
    } else this.#done(damagedError(`a conditional write was answered with type ${type}`), 0);
  }

  fail(error: StormError): void {
    this.#done(error, 0);
  }
}
