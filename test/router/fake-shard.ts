/**
 * A shard without storage at the other end of real rings, on the test's own thread: a map, and the
 * means to be slow, full, dead or wrong. `step()` is one turn.
 */
import { RunReader } from '../../src/base/entry-run.js';
import type { StormError } from '../../src/base/errors.js';
import { type LinkMemory, type RouterPort, ShardEnd } from '../../src/rpc/link.js';
import {
  decodeRequest,
  MESSAGE_WRITE,
  REPLY_BYTES_MAX_SMALL,
  RequestView,
  tryWriteFailure,
  tryWriteMissing,
  tryWriteValue,
  tryWriteWritten,
  valueReplyBytes,
} from '../../src/rpc/messages.js';

export class FakeShard {
  readonly end: ShardEnd;
  readonly data: Map<string, { value: Buffer; sequence: number }>;
  /** Answer nothing while true; requests pile up in the lanes. */
  isHeld = false;
  /** Answer every call with this instead of doing it. */
  failWith: StormError | undefined;
  lastSequence = 0;
  steps = 0;
  readonly #view = new RequestView();
  readonly #run = new RunReader();

  constructor(memory: LinkMemory, port: RouterPort, data = new Map()) {
    this.end = new ShardEnd(memory, port);
    this.data = data;
  }

  /** Answers what waits, as far as the reply lanes have room. Returns how many calls. */
  step(): number {
    this.steps++;
    if (this.isHeld) return 0;
    const count = this.#stepWrites() + this.#stepReads();
    if (count > 0) this.end.ringRouter();
    return count;
  }

  #stepWrites(): number {
    const { writeRequests, writeReplies } = this.end;
    let count = 0;
    while (writeReplies.hasRoomFor(1, REPLY_BYTES_MAX_SMALL) && writeRequests.tryRead()) {
      decodeRequest(writeRequests, this.#view);
      if (this.#view.type !== MESSAGE_WRITE) throw new Error('A read came on the write lane');
      if (this.failWith === undefined) this.#apply();
      else tryWriteFailure(writeReplies, this.#view.callId, this.failWith);
      count++;
    }
    writeRequests.release();
    return count;
  }

  #apply(): void {
    const { callId, payloadStart, payloadLength } = this.#view;
    const first = this.lastSequence + 1;
    this.#run.reset(this.end.writeRequests.bytes, payloadStart, payloadLength);
    while (this.#run.next()) {
      const { bytes, keyStart, keyLength, valueStart, valueLength, isDelete } = this.#run;
      const key = Buffer.from(bytes.subarray(keyStart, keyStart + keyLength)).toString('latin1');
      const value = Buffer.from(bytes.subarray(valueStart, valueStart + valueLength));
      this.lastSequence++;
      if (isDelete) this.data.delete(key);
      else this.data.set(key, { value, sequence: this.lastSequence });
    }
    tryWriteWritten(this.end.writeReplies, callId, first, this.lastSequence - first + 1);
  }

  #stepReads(): number {
    const { readRequests, readReplies } = this.end;
    let count = 0;
    const most = valueReplyBytes(readReplies.frameBytesMax - 64);
    while (readReplies.hasRoomFor(1, most) && readRequests.tryRead()) {
      decodeRequest(readRequests, this.#view);
      const { callId, payloadStart, payloadLength } = this.#view;
      const raw = readRequests.bytes.subarray(payloadStart, payloadStart + payloadLength);
      const found = this.data.get(Buffer.from(raw).toString('latin1'));
      if (this.failWith !== undefined) tryWriteFailure(readReplies, callId, this.failWith);
      else if (found === undefined) tryWriteMissing(readReplies, callId);
      else {
        const { value, sequence } = found;
        tryWriteValue(readReplies, callId, sequence, value, 0, value.length);
      }
      count++;
    }
    readRequests.release();
    return count;
  }
}
