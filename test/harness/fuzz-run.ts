/**
 * Feeds a decoder with made-up inputs and sees that it keeps its promises: it accepts or throws one
 * of its documented errors, takes no byte from outside of its input, and asks neither for much time
 * nor for much memory, whatever lengths an input claims.
 */
import { StormError } from '../../src/base/errors.js';
import { Mutator } from './fuzz-mutator.js';

export const REJECTED = Symbol('rejected');

export interface FuzzTarget {
  name: string;
  /** What the decoder knows: put into inputs here and there. */
  words?: readonly string[];
  /** Makes checksums right again, so that the fuzzer gets behind them. */
  repair?(input: Uint8Array): void;
  /**
   * Decodes the input and checks what must hold. Returns REJECTED, or a number or text that depends
   * on what was decoded. Throws what the decoder throws, and FuzzFault where it broke a promise.
   */
  run(input: Uint8Array): number | string | typeof REJECTED;
  /** Documented errors besides StormError. */
  isDocumented?(error: unknown): boolean;
}

export class FuzzFault extends Error {
  override readonly name = 'FuzzFault';
}

export interface FuzzTally {
  decoder: string;
  inputs: number;
  accepted: number;
  rejected: number;
  seconds: number;
  faults: string[];
}

export interface FuzzRange {
  seed: number;
  /** The first input, and how many. */
  from: number;
  count: number;
}

const REPAIRED_SHARE = 0.8;
/** Every so many inputs are decoded again with other bytes around them. */
const TWICE_EVERY = 4;
const MARGIN_BYTES = 64;
const ALLOCATION_BYTES_MAX = 32 << 20;
const MEMORY_GROWTH_MAX = 512 << 20;
const MEMORY_EVERY = 4096;
const SLOW_MS = 250;
const TURN_INPUTS = 2048;
const STACK_FRAMES = 12;
const FAULTS_MAX = 5;

export async function fuzz(
  target: FuzzTarget,
  corpus: readonly Uint8Array[],
  { seed, from, count }: FuzzRange,
): Promise<FuzzTally> {
  const begunMs = performance.now();
  const { name } = target;
  const tally = { decoder: name, inputs: 0, accepted: 0, rejected: 0, seconds: 0, faults: [] };
  const run = new FuzzRun(target, new Mutator(seed, corpus, target.words ?? []), tally);
  for (let n = from; n < from + count && tally.faults.length < FAULTS_MAX; n += TURN_INPUTS) {
    withGuards(() => run.inputs(n, Math.min(n + TURN_INPUTS, from + count)));
    // What Node's own modules hold until the next turn of the loop is no fault of a decoder.
    await new Promise((resolve) => setImmediate(resolve));
  }
  tally.seconds = Math.round((performance.now() - begunMs) / 10) / 100;
  return tally;
}

class FuzzRun {
  readonly #target: FuzzTarget;
  readonly #mutator: Mutator;
  readonly #tally: FuzzTally;
  #framed = new Uint8Array(1024);
  #memoryBefore = memoryInUse();

  constructor(target: FuzzTarget, mutator: Mutator, tally: FuzzTally) {
    this.#target = target;
    this.#mutator = mutator;
    this.#tally = tally;
  }

  inputs(from: number, to: number): void {
    for (let n = from; n < to && this.#tally.faults.length < FAULTS_MAX; n++) this.#input(n);
  }

  #input(n: number): void {
    const made = this.#mutator.make(n);
    if (this.#mutator.random.chance(REPAIRED_SHARE)) this.#target.repair?.(made);
    this.#tally.inputs++;
    const fault = this.#faultOf(made, n);
    if (fault === undefined) return;
    const hex = Buffer.from(made.subarray(0, 256)).toString('hex');
    const stack = this.#stackOf(made);
    this.#tally.faults.push(`${this.#target.name}, input ${n}: ${fault}\n  ${hex}\n  ${stack}`);
  }

  #faultOf(made: Uint8Array, n: number): string | undefined {
    const startMs = performance.now();
    const first = this.#attempt(this.#frame(made, 0x00));
    if (performance.now() - startMs > SLOW_MS && this.#isSlow(made)) return 'takes too long';
    if (typeof first === 'object') return first.fault;
    if (first === REJECTED || isError(first)) this.#tally.rejected++;
    else this.#tally.accepted++;
    if (n % TWICE_EVERY === 0) {
      const second = this.#attempt(this.#frame(made, 0xff));
      if (second !== first) {
        return `depends on bytes outside of it: ${String(first)}, then ${shown(second)}`;
      }
    }
    return n % MEMORY_EVERY === 0 ? this.#memoryFault() : undefined;
  }

  /** Stacks cost more than most decoders: only for the one that is shown. */
  #stackOf(made: Uint8Array): string {
    Error.stackTraceLimit = STACK_FRAMES;
    try {
      this.#target.run(this.#frame(made, 0x00));
      return '';
    } catch (error) {
      return error instanceof Error ? String(error.stack) : '';
    } finally {
      Error.stackTraceLimit = 0;
    }
  }

  #attempt(input: Uint8Array): number | string | typeof REJECTED | { fault: string } {
    askedFor = 0;
    let outcome: number | string | typeof REJECTED | { fault: string };
    try {
      outcome = this.#target.run(input);
    } catch (error) {
      const isDocumented =
        error instanceof StormError || this.#target.isDocumented?.(error) === true;
      if (isDocumented) outcome = `${ERROR}${(error as Error).message}`;
      else outcome = { fault: String(error) };
    }
    if (askedFor === 0) return outcome;
    return { fault: `asks for ${askedFor} bytes of memory` };
  }

  /** The input amid other bytes that it must not look at. */
  #frame(made: Uint8Array, around: number): Uint8Array {
    const size = made.length + 2 * MARGIN_BYTES;
    if (this.#framed.length < size) this.#framed = new Uint8Array(2 * size);
    const framed = this.#framed;
    framed.fill(around, 0, MARGIN_BYTES);
    framed.set(made, MARGIN_BYTES);
    framed.fill(around, MARGIN_BYTES + made.length, size);
    return framed.subarray(MARGIN_BYTES, MARGIN_BYTES + made.length);
  }

  /** Slow by itself, not because the machine is: by its share of the processor, three times. */
  #isSlow(made: Uint8Array): boolean {
    for (let i = 0; i < 3; i++) {
      const before = process.cpuUsage();
      this.#attempt(this.#frame(made, 0x00));
      const { user, system } = process.cpuUsage(before);
      if ((user + system) / 1000 < SLOW_MS) return false;
    }
    return true;
  }

  #memoryFault(): string | undefined {
    const now = memoryInUse();
    const grown = now - this.#memoryBefore;
    this.#memoryBefore = Math.min(this.#memoryBefore, now);
    if (grown < MEMORY_GROWTH_MAX) return undefined;
    return `this input or one of the ${MEMORY_EVERY} before it took ${grown} bytes of memory`;
  }
}

const ERROR = 'throws ';

function isError(outcome: unknown): boolean {
  return typeof outcome === 'string' && outcome.startsWith(ERROR);
}

function shown(outcome: unknown): string {
  return typeof outcome === 'object' ? JSON.stringify(outcome) : String(outcome);
}

function memoryInUse(): number {
  // Not `external`: Node's own contexts of zlib are in it until a collector comes by.
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** More than is allowed, in one piece; 0 = nothing of the kind. */
let askedFor = 0;

/** Refuses buffers that are too large, also those that Node's own modules ask for. No stacks. */
function withGuards(body: () => void): void {
  const { alloc, allocUnsafe, allocUnsafeSlow } = Buffer;
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const guarded = <T extends (size: number, ...rest: never[]) => Buffer>(inner: T): T =>
    ((size: number, ...rest: never[]) => {
      if (size <= ALLOCATION_BYTES_MAX) return inner(size, ...rest);
      askedFor = size;
      throw new FuzzFault(`asks for ${size} bytes of memory`);
    }) as T;
  Object.assign(Buffer, {
    alloc: guarded(alloc),
    allocUnsafe: guarded(allocUnsafe),
    allocUnsafeSlow: guarded(allocUnsafeSlow),
  });
  try {
    body();
  } finally {
    Object.assign(Buffer, { alloc, allocUnsafe, allocUnsafeSlow });
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** A number that depends on all that is added. */
export function mixed(sum: number, value: number): number {
  return Math.imul(sum ^ (value | 0), 0x9e37_79b1) ^ (sum >>> 15);
}

/** The same of a range of bytes. */
export function mixedBytes(sum: number, bytes: Uint8Array, start: number, length: number): number {
  let result = mixed(sum, length);
  const step = Math.max(1, Math.floor(length / 32));
  for (let i = start; i < start + length; i += step) result = mixed(result, bytes[i] ?? -1);
  return result;
}

/** All of the memory in which an input lies, for decoders that are told where theirs begins. */
export function around(input: Uint8Array): Uint8Array {
  return new Uint8Array(input.buffer);
}

/** Throws FuzzFault. */
export function promise(holds: boolean, what: string): void {
  if (!holds) throw new FuzzFault(what);
}
