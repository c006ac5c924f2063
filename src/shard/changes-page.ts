/** A page of changes: what the log has from a sequence number on, of keys with a prefix. */
import type { ChangesParameters } from '../rpc/change-messages.js';
import {
  PAGE_EXPIRY_BYTES,
  pageItemLength,
  putPageExpiry,
  putPageItem,
  putPageKey,
} from '../rpc/message-items.js';
import { PAGE_OVERHEAD_BYTES, tryWritePage } from '../rpc/read-messages.js';
import type { RingProducer } from '../rpc/ring-channel.js';
import { type EntryView, KIND_DELETE } from '../storage/entry-cursor.js';
import { compareBytes } from '../storage/key-bytes.js';
import type { ChangeSink } from '../storage/log-pages.js';
import type { Engine } from './engine.js';
import type { LongRead, Scratch, Step } from './long-reads.js';

export class ChangesPage implements LongRead {
  readonly callId: number;
  readonly #parameters: ChangesParameters;

  constructor(callId: number, parameters: ChangesParameters) {
    this.callId = callId;
    this.#parameters = parameters;
  }

  step(engine: Engine, replies: RingProducer, scratch: Scratch): Step {
    const { from, name, prefix, bytesMax } = this.#parameters;
    const frameMax = replies.frameBytesMax - PAGE_OVERHEAD_BYTES;
    const sink = new ChangesBuilder(scratch, prefix, Math.min(bytesMax, frameMax));
    const { next, isEnd } = engine.desk.changes.read(from, name, sink);
    const { bytes, length } = scratch;
    const isSent = tryWritePage(replies, this.callId, next, isEnd, bytes, 0, length);
    return isSent ? 'finished' : 'waiting';
  }
}

class ChangesBuilder implements ChangeSink {
  readonly #scratch: Scratch;
  readonly #prefix: Uint8Array | undefined;
  readonly #bytesMax: number;

  constructor(scratch: Scratch, prefix: Uint8Array | undefined, bytesMax: number) {
    this.#scratch = scratch;
    this.#scratch.length = 0;
    this.#prefix = prefix;
    this.#bytesMax = bytesMax;
  }

  add(entry: EntryView): boolean {
    const { keyBytes, keyStart, keyLength, valueBytes, valueStart, valueLength } = entry;
    if (!this.#isWanted(keyBytes, keyStart, keyLength)) return true;
    const scratch = this.#scratch;
    const room = pageItemLength(keyLength, valueLength) + PAGE_EXPIRY_BYTES;
    if (scratch.length > 0 && scratch.length + room > this.#bytesMax) return false;
    scratch.reserve(room);
    const { bytes, length: at } = scratch;
    const { sequence, expiresAtMs } = entry;
    scratch.length =
      entry.kind === KIND_DELETE
        ? putPageKey(bytes, at, keyBytes, keyStart, keyLength, sequence)
        : putPageItem(
            bytes,
            at,
            keyBytes,
            keyStart,
            keyLength,
            valueBytes,
            valueStart,
            valueLength,
            sequence,
          );
    if (expiresAtMs > 0) scratch.length = putPageExpiry(bytes, scratch.length, expiresAtMs);
    return true;
  }

  #isWanted(bytes: Uint8Array, start: number, length: number): boolean {
    const prefix = this.#prefix;
    if (prefix === undefined) return true;
    if (length < prefix.length) return false;
    return compareBytes(bytes, start, prefix.length, prefix, 0, prefix.length) === 0;
  }
}
