/**
 * Deletes all keys that begin with a prefix, or only counts them: a scan of keys, and for each of
 * its pages a batch of deletes. Not atomic: each batch is, per shard; a key written meanwhile may
 * be deleted or stay.
 */
import type { Clock } from '../base/clock.js';
import { RUN_HEADER_BYTES } from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
import { RunBuilder } from '../base/run-builder.js';
import type {
  BatchSetResult,
  DeletePrefixDone,
  KvOperations,
  KvScan,
  ScanEntry,
} from '../rpc/kv-operations.js';
import type { RouterLimits } from './router-types.js';

/** Bytes of keys whose deletes fit into one batch: of a run, a key of 1 byte takes 4. */
export function deletePageBytes(limits: RouterLimits): number {
  const { keyBytesMax, batchBytesMax, batchEntriesMax } = limits;
  // The last key of a page may reach beyond its bytes.
  const forBytes = Math.floor((batchBytesMax - RUN_HEADER_BYTES - keyBytesMax) / 5) - 1;
  return Math.max(1, Math.min(PAGE_BYTES_AIM, batchEntriesMax, forBytes));
}

const PAGE_BYTES_AIM = 16 * 1024;

export function deletePrefix(
  operations: Pick<KvOperations, 'scan' | 'batchSet'>,
  prefix: Uint8Array,
  { dryRun, pageBytes }: { dryRun: boolean; pageBytes: number },
  timeoutMs: number,
  clock: Clock,
  done: DeletePrefixDone,
): void {
  try {
    if (prefix.length === 0) {
      const text = 'The prefix must not be empty: that would be all keys';
      throw new StormError('INVALID_ARGUMENT', text);
    }
    const scan = operations.scan({ prefix, keysOnly: true, bytesMax: pageBytes });
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    const remainingMs = () => deadlineMs - clock.monotonicMs();
    new PrefixDelete(operations, scan, dryRun, remainingMs, done).nextPage();
  } catch (error) {
    if (!(error instanceof StormError)) throw error;
    done(error, 0);
  }
}

class PrefixDelete {
  readonly #operations: Pick<KvOperations, 'batchSet'>;
  readonly #scan: KvScan;
  readonly #dryRun: boolean;
  readonly #remainingMs: () => number;
  readonly #done: DeletePrefixDone;
  readonly #run = new RunBuilder();
  #count = 0;

  constructor(
    operations: Pick<KvOperations, 'batchSet'>,
    scan: KvScan,
    dryRun: boolean,
    remainingMs: () => number,
    done: DeletePrefixDone,
  ) {
    this.#operations = operations;
    this.#scan = scan;
    this.#dryRun = dryRun;
    this.#remainingMs = remainingMs;
    this.#done = done;
  }

  nextPage(): void {
    this.#scan.nextPage(this.#remainingMs(), (error, page) => {
      if (error !== undefined) this.#fail(error);
      else if (page !== undefined) this.#delete(page.entries, page.isLast);
    });
  }

  #delete(entries: readonly ScanEntry[], isLast: boolean): void {
    if (this.#dryRun || entries.length === 0) {
      this.#count += entries.length;
      this.#goOn(isLast);
      return;
    }
    this.#run.clear();
    for (const { key } of entries) this.#run.delete(key);
    this.#operations.batchSet({ run: this.#run.runView() }, this.#remainingMs(), (error, result) =>
      this.#deleted(error, result, isLast),
    );
  }

  #deleted(error: StormError | undefined, result: BatchSetResult, isLast: boolean): void {
    this.#count += result.written;
    const first = error ?? worstOf(result);
    if (first === undefined) {
      this.#goOn(isLast);
      return;
    }
    if (!isLast) this.#scan.close();
    this.#fail(first);
  }

  #goOn(isLast: boolean): void {
    if (isLast) this.#done(undefined, this.#count);
    // Not in this call's stack, which would grow with the pages.
    else queueMicrotask(() => this.nextPage());
  }

  #fail({ code, message, outcome, retryAfterMs }: StormError): void {
    const text = `${message} (${this.#count} keys were deleted before; call again for the rest)`;
    const hint = retryAfterMs === undefined ? {} : { retryAfterMs };
    this.#done(new StormError(code, text, { outcome, ...hint }), this.#count);
  }
}

/** One of unknown outcome before others: the answer must say so. */
function worstOf({ errors }: BatchSetResult): StormError | undefined {
  return (errors.find(({ error }) => error.outcome === 'unknown') ?? errors[0])?.error;
}
