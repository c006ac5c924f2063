/**
 * The shard's changes in order, for feeds: pages of the log from a sequence number on, and a hold
 * under the name of who reads, so that the log stays for it up to a bound. Owned by the shard's
 * thread.
 */
import type { Clock } from '../base/clock.js';
import { StormError } from '../base/errors.js';
import type { FileSystem } from '../storage/file-system.js';
import { type ChangeSink, LogPages } from '../storage/log-pages.js';
import type { WriteAheadLog } from '../storage/write-ahead-log.js';
import type { WalHolds } from './wal-holds.js';

/** A reader that does not come back for so long holds nothing any more. */
const HOLD_MS = 3_600_000;
const HOLD_BYTES_DEFAULT = 256 * 1024 * 1024;
const HOLDS_MAX = 64;
/** Of frames, in one turn. */
const READ_BYTES_MAX = 256 * 1024;

export class ChangeLog {
  readonly #clock: Clock;
  readonly #wal: WriteAheadLog;
  readonly #holds: WalHolds;
  readonly #holdBytesMax: number;
  readonly #pages: LogPages;
  readonly #names = new Set<string>();

  constructor(
    env: { fs: FileSystem; clock: Clock },
    wal: WriteAheadLog,
    holds: WalHolds,
    holdBytesMax = HOLD_BYTES_DEFAULT,
  ) {
    this.#clock = env.clock;
    this.#wal = wal;
    this.#holds = holds;
    this.#holdBytesMax = holdBytesMax;
    this.#pages = new LogPages(env.fs);
  }

  /**
   * Shows what is durable from `from` on (0: only what is still to come). FAILED_PRECONDITION is
   * thrown when the log does not hold it: it begins later, or has never come so far.
   */
  read(from: number, name: string | undefined, sink: ChangeSink): { next: number; isEnd: boolean } {
    const end = this.#wal.syncedThrough + 1;
    const first = from === 0 ? end : from;
    if (first > end) throw gap(`the log ends at ${end - 1}, before ${first}`);
    if (name !== undefined) this.#hold(name, first);
    if (first === end) return { next: end, isEnd: true };
    const page = this.#pages.read(this.#wal.segmentsFrom(first), first, READ_BYTES_MAX, sink);
    if (page.kind === 'gap') throw gap(`the log begins with ${page.oldest}, after ${first}`);
    return page;
  }

  #hold(name: string, fromSequence: number): void {
    const hold = `feed ${name}`;
    if (!this.#names.has(hold)) {
      for (const known of this.#names) {
        if (this.#holds.state(known).kind !== 'held') this.#names.delete(known);
      }
      if (this.#names.size >= HOLDS_MAX) {
        const text = `${HOLDS_MAX} readers of changes have names: let one end, or read without`;
        throw new StormError('RESOURCE_EXHAUSTED', text);
      }
      this.#names.add(hold);
    }
    // A broken one tells its reader nothing that the log itself does not tell.
    if (this.#holds.state(hold).kind === 'broken') this.#holds.release(hold);
    const untilMs = this.#clock.monotonicMs() + HOLD_MS;
    this.#holds.hold(hold, { fromSequence, bytesMax: this.#holdBytesMax, untilMs });
  }
}

function gap(why: string): StormError {
  const text = `The changes asked for are not in the log: ${why}; begin again with a snapshot`;
  return new StormError('FAILED_PRECONDITION', text);
}
