/**
 * A one-way channel of frames between two threads: one producer, one consumer, bounded, no locks.
 *
 * 1. The producer reserves room, writes the body in place, then the header, and publishes both with
 *    one `Atomics.store` of the head. A producer that dies before leaves nothing visible.
 * 2. The consumer checks every header (length, sequence, epoch, check) before it looks at the body.
 *    A mismatch means that one side broke the rules: the channel is dead for good, and its owner
 *    gets a new one with a new epoch.
 * 3. Bytes read stay where they are until `release()`, which gives them back with one store.
 *
 * Head and tail count bytes since the beginning, modulo 2^32; differences are taken modulo 2^32
 * too. Each side keeps what it last saw of the other's counter and looks again only when it has to.
 */
import { assert } from '../base/assert.js';
import { StormError } from '../base/errors.js';
import {
  FRAME_ALIGN_BYTES,
  FRAME_HEADER_BYTES,
  frameBodyBytesMax,
  frameBytes,
  frameCheck,
  PAD_FLAG,
  type RingMemory,
  WORD_HEAD,
  WORD_TAIL,
} from './ring-layout.js';

/** The writing side. Owned by exactly one thread. */
export class RingProducer {
  /** The ring's bytes: write only between `tryReserve` and `commit`, within what was reserved. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** The longest body that `tryReserve` takes. */
  readonly frameBytesMax: number;
  readonly #control: Int32Array;
  readonly #words: Uint32Array;
  readonly #capacity: number;
  readonly #epoch: number;
  /** Published so far. */
  #head: number;
  #tailSeen: number;
  #sequence: number;
  /** Of the reservation: body bytes and the pad before it; −1 = nothing reserved. */
  #reserved = -1;
  #padBytes = 0;

  constructor(memory: RingMemory) {
    this.bytes = new Uint8Array(memory.data);
    this.view = new DataView(memory.data);
    this.#words = new Uint32Array(memory.data);
    this.#control = new Int32Array(memory.control);
    this.#capacity = memory.data.byteLength;
    this.#epoch = memory.epoch >>> 0;
    this.frameBytesMax = frameBodyBytesMax(this.#capacity);
    this.#head = Atomics.load(this.#control, WORD_HEAD) >>> 0;
    this.#tailSeen = Atomics.load(this.#control, WORD_TAIL) >>> 0;
    this.#sequence = this.#head;
  }

  /**
   * Finds contiguous room for a body of up to `lengthMax` bytes. Returns its offset in `bytes`, or
   * −1 when the ring is too full now. Nothing is visible until `commit`; a new reservation simply
   * replaces one that was not committed.
   */
  tryReserve(lengthMax: number): number {
    assert(lengthMax <= this.frameBytesMax, 'a frame fits into half of its ring');
    const need = frameBytes(lengthMax);
    const at = this.#head & (this.#capacity - 1);
    const toEnd = this.#capacity - at;
    const pad = need <= toEnd ? 0 : toEnd;
    if (need + pad > this.#freeSeen()) {
      this.#tailSeen = Atomics.load(this.#control, WORD_TAIL) >>> 0;
      if (need + pad > this.#freeSeen()) return -1;
    }
    this.#reserved = lengthMax;
    this.#padBytes = pad;
    return (pad === 0 ? at : 0) + FRAME_HEADER_BYTES;
  }

  /** Publishes the reserved frame with the `length` bytes written, visible at once. */
  commit(length: number): void {
    assert(length >= 0 && length <= this.#reserved, 'a commit stays within its reservation');
    if (this.#padBytes > 0) {
      this.#writeHeader((PAD_FLAG | (this.#padBytes - FRAME_HEADER_BYTES)) >>> 0);
      this.#head = (this.#head + this.#padBytes) >>> 0;
    }
    this.#writeHeader(length);
    this.#head = (this.#head + frameBytes(length)) >>> 0;
    this.#reserved = -1;
    // The one publishing store: body and headers are written before it in program order.
    Atomics.store(this.#control, WORD_HEAD, this.#head | 0);
  }

  /** Bytes not taken by frames that the consumer has yet to release. */
  freeBytes(): number {
    return this.#capacity - this.usedBytes();
  }

  /**
   * Whether `frames` more frames, of up to `bytesEach` ring bytes (`frameBytes`), surely fit,
   * whatever the pad at the end of the ring costs.
   */
  hasRoomFor(frames: number, bytesEach: number): boolean {
    const need = (frames + 1) * bytesEach;
    if (need <= this.#freeSeen()) return true;
    return need <= this.freeBytes();
  }

  usedBytes(): number {
    this.#tailSeen = Atomics.load(this.#control, WORD_TAIL) >>> 0;
    return (this.#head - this.#tailSeen) >>> 0;
  }

  /** True when the consumer has released every frame. */
  isEmpty(): boolean {
    return this.usedBytes() === 0;
  }

  #freeSeen(): number {
    return this.#capacity - ((this.#head - this.#tailSeen) >>> 0);
  }

  #writeHeader(length: number): void {
    const word = (this.#head & (this.#capacity - 1)) >>> 2;
    const words = this.#words;
    words[word] = length;
    words[word + 1] = this.#sequence;
    words[word + 2] = this.#epoch;
    words[word + 3] = frameCheck(length, this.#sequence, this.#epoch);
    this.#sequence = (this.#sequence + 1) >>> 0;
  }
}

/** The reading side. Owned by exactly one thread. */
export class RingConsumer {
  /** The ring's bytes: after `tryRead`, the frame's body lies at [frameStart, +frameLength). */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  frameStart = 0;
  frameLength = 0;
  readonly #control: Int32Array;
  readonly #words: Uint32Array;
  readonly #capacity: number;
  readonly #epoch: number;
  #headSeen: number;
  /** Released so far, and read so far. */
  #tail: number;
  #readAt: number;
  #sequence: number;
  #damage: StormError | undefined;

  constructor(memory: RingMemory) {
    this.bytes = new Uint8Array(memory.data);
    this.view = new DataView(memory.data);
    this.#words = new Uint32Array(memory.data);
    this.#control = new Int32Array(memory.control);
    this.#capacity = memory.data.byteLength;
    this.#epoch = memory.epoch >>> 0;
    this.#tail = Atomics.load(this.#control, WORD_TAIL) >>> 0;
    this.#readAt = this.#tail;
    this.#headSeen = this.#tail;
    this.#sequence = this.#tail;
  }

  /**
   * Moves to the next frame; false when there is none. Its bytes, and those of all frames since the
   * last `release`, stay valid until `release`. Throws INTERNAL when the channel is damaged, and
   * from then on always.
   */
  tryRead(): boolean {
    if (this.#damage !== undefined) throw this.#damage;
    for (;;) {
      if (this.#readAt === this.#headSeen && !this.hasFrames()) return false;
      const length = this.#checkedLength();
      const isPad = length >= PAD_FLAG;
      const body = isPad ? length - PAD_FLAG : length;
      this.frameStart = (this.#readAt & (this.#capacity - 1)) + FRAME_HEADER_BYTES;
      this.frameLength = body;
      this.#readAt = (this.#readAt + frameBytes(body)) >>> 0;
      this.#sequence = (this.#sequence + 1) >>> 0;
      if (!isPad) return true;
    }
  }

  /** Gives back the room of every frame read so far; their bytes may change from now on. */
  release(): void {
    if (this.#tail === this.#readAt) return;
    this.#tail = this.#readAt;
    Atomics.store(this.#control, WORD_TAIL, this.#tail | 0);
  }

  /** Whether `tryRead` would find something. */
  hasFrames(): boolean {
    if (this.#readAt !== this.#headSeen) return true;
    this.#headSeen = Atomics.load(this.#control, WORD_HEAD) >>> 0;
    return this.#readAt !== this.#headSeen;
  }

  /** The length word of the header at the read position, after checking all of it. */
  #checkedLength(): number {
    const at = this.#readAt & (this.#capacity - 1);
    const available = (this.#headSeen - this.#readAt) >>> 0;
    const word = at >>> 2;
    const length = this.#words[word]!;
    const sequence = this.#words[word + 1]!;
    const epoch = this.#words[word + 2]!;
    const check = this.#words[word + 3]!;
    if (epoch !== this.#epoch) throw this.#damaged(`epoch ${this.#epoch}`, `${epoch}`);
    if (sequence !== this.#sequence) throw this.#damaged(`frame ${this.#sequence}`, `${sequence}`);
    if (check !== frameCheck(length, sequence, epoch)) {
      throw this.#damaged('a matching check word', `${check}`);
    }
    const body = length >= PAD_FLAG ? length - PAD_FLAG : length;
    // Bounded first: `frameBytes` is 32-bit arithmetic.
    const size = body > frameBodyBytesMax(this.#capacity) ? Infinity : frameBytes(body);
    const isWhole = size <= available && available <= this.#capacity;
    if (!isWhole || at + size > this.#capacity || available % FRAME_ALIGN_BYTES !== 0) {
      throw this.#damaged(`a frame within ${available} bytes`, `one of ${body}`);
    }
    return length;
  }

  #damaged(expected: string, found: string): StormError {
    this.#damage = new StormError(
      'INTERNAL',
      `Channel damaged at byte ${this.#readAt}: expected ${expected}, found ${found}; ` +
        'the link must be replaced',
      { outcome: 'unknown' },
    );
    return this.#damage;
  }
}
