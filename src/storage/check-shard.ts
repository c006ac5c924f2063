/**
 * Checks all files of one shard without changing any: the manifest in force, every table that it
 * names, the order of the runs, the WAL that it needs, and what else lies in the folder. What
 * opening the shard would refuse is damage here, and everything that is wrong is reported, not
 * only the first.
 */
import { CorruptionError, StormError } from '../base/errors.js';
import { fileNumber } from '../base/ids.js';
import type { TableMeta } from '../base/table-meta.js';
import { type Finding, type FindingSink, findingOf, reporting } from './check-finding.js';
import { surveyManifest } from './check-manifest.js';
import { checkRuns } from './check-runs.js';
import { checkTable, surveyTable } from './check-table.js';
import { surveySegment } from './check-wal.js';
import {
  CURRENT_FILE,
  DISTRUST_FILE,
  manifestFileName,
  parseFileName,
  tableFileName,
} from './file-names.js';
import type { FileSystem } from './file-system.js';
import { readManifest } from './manifest-log.js';
import { type ManifestState, tablesOf } from './manifest-state.js';
import { decodeSegmentHeader, type HeaderReading, SEGMENT_HEADER_BYTES } from './wal-format.js';
import { readWal, type WalReading, walHoldsFrames } from './wal-reader.js';

export interface ShardIdentity {
  shard: number;
  /** 32 hexadecimal digits. */
  storeUuid: string;
}

/** How much was looked at. */
export interface CheckTotals {
  shards: number;
  tables: number;
  tableBytes: number;
  entries: number;
  segments: number;
  frames: number;
}

export interface CheckReport {
  found: FindingSink;
  /** A file is about to be read. */
  progress(file: string): void;
  totals: CheckTotals;
}

export function checkShard(
  fs: FileSystem,
  dir: string,
  identity: ShardIdentity,
  report: CheckReport,
): void {
  const found = withoutRepeats(report.found);
  new ShardCheck(fs, dir, identity, { ...report, found }).run();
}

/** One finding per place, the graver first: log and survey of a file may meet the same damage. */
function withoutRepeats(found: FindingSink): FindingSink {
  const seen = new Map<string, Finding['severity']>();
  return (finding) => {
    const place = `${finding.file}:${finding.offset}`;
    const before = seen.get(place);
    if (before === 'damage' || before === finding.severity) return;
    seen.set(place, finding.severity);
    found(finding);
  };
}

class ShardCheck {
  readonly #fs: FileSystem;
  readonly #dir: string;
  readonly #identity: ShardIdentity;
  readonly #report: CheckReport;
  readonly #names: string[];

  constructor(fs: FileSystem, dir: string, identity: ShardIdentity, report: CheckReport) {
    this.#fs = fs;
    this.#dir = dir;
    this.#identity = identity;
    this.#report = report;
    this.#names = fs.list(dir);
    report.totals.shards++;
  }

  run(): void {
    const current = `${this.#dir}/${CURRENT_FILE}`;
    const { found } = this.#report;
    let isKnown = true;
    const manifest = reporting(found, current, 0, () => {
      const read = readManifest(this.#fs, this.#dir, this.#identity);
      isKnown = read !== undefined;
      return read;
    });
    this.#manifests(manifest?.number);
    this.#otherFiles();
    if (manifest !== undefined) {
      this.#tables(manifest.state);
      for (const what of checkRuns(manifest.state)) {
        const path = `${this.#dir}/${manifestFileName(fileNumber(manifest.number))}`;
        found({ severity: 'damage', file: path, offset: 0, what });
      }
      this.#wal(manifest.state);
      return;
    }
    // What the manifest would say of them is lost, but each table can still be read on its own.
    for (const number of this.#numbers('table')) this.#lonelyTable(number);
    if (!isKnown) this.#checkIsNew(current);
  }

  #manifests(inForce: number | undefined): void {
    const { found } = this.#report;
    for (const number of this.#numbers('manifest')) {
      const path = `${this.#dir}/${manifestFileName(fileNumber(number))}`;
      this.#report.progress(path);
      if (inForce !== undefined && number !== inForce) {
        const what = 'A former manifest; the next start removes it';
        found({ severity: 'notice', file: path, offset: 0, what });
      } else surveyManifest(this.#fs, path, {}, found);
    }
  }

  #tables(state: ManifestState): void {
    const named = tablesOf(state);
    for (const meta of named) this.#table(meta);
    const numbers = new Set(named.map(({ number }) => number as number));
    for (const number of this.#numbers('table')) {
      if (numbers.has(number)) continue;
      // A crash between a job and its commit leaves tables whose numbers were reserved.
      const isReserved = number < state.nextNumber;
      this.#report.found({
        severity: isReserved ? 'notice' : 'damage',
        file: `${this.#dir}/${tableFileName(fileNumber(number))}`,
        offset: 0,
        what: isReserved
          ? 'No manifest names the table; the next start removes it'
          : `Newer than the manifest, which reserved numbers below ${state.nextNumber}`,
      });
    }
  }

  #table(meta: TableMeta): void {
    const { totals, found, progress } = this.#report;
    progress(`${this.#dir}/${tableFileName(meta.number)}`);
    const { entryCount } = checkTable(this.#fs, this.#dir, meta, found);
    totals.tables++;
    totals.tableBytes += meta.sizeBytes;
    totals.entries += entryCount;
  }

  #lonelyTable(number: number): void {
    const { totals, found, progress } = this.#report;
    const path = `${this.#dir}/${tableFileName(fileNumber(number))}`;
    progress(path);
    totals.tables++;
    totals.entries += surveyTable(this.#fs, path, {}, found).entryCount;
  }

  #wal(state: ManifestState): void {
    const { totals, progress } = this.#report;
    const storeUuid = new Uint8Array(Buffer.from(this.#identity.storeUuid, 'hex'));
    const identity = { shard: this.#identity.shard, storeUuid };
    progress(`${this.#dir} (WAL)`);
    let verdict: Finding | undefined;
    try {
      const { flushedSequence, minSegment } = state;
      const reading = readWal(this.#fs, this.#dir, identity, minSegment, flushedSequence, () => {});
      totals.frames += reading.frameCount;
      this.#lostEnd(reading, state);
    } catch (error) {
      verdict = findingOf(error, this.#dir, 0);
      this.#report.found(verdict);
    }
    this.#segments(state.minSegment, verdict !== undefined);
  }

  /** The manifest may know of writes behind the last one that the log still has. */
  #lostEnd({ end, live }: WalReading, { flushedSequence, durableSequence }: ManifestState): void {
    if (Math.max(end.lastSequence, flushedSequence) >= durableSequence) return;
    throw new CorruptionError(
      `The WAL ends at sequence ${end.lastSequence}, but all through ${durableSequence} was ` +
        'durable: its newest segment is missing, cut or an old copy',
      { file: live.at(-1)?.path ?? this.#dir, offset: end.endOffset },
    );
  }

  /** Looks into each segment that is needed; `isRefused`: together they do not make a WAL. */
  #segments(minSegment: number, isRefused: boolean): void {
    const segments = this.#names.flatMap((name) => {
      if (parseFileName(name).kind !== 'wal') return [];
      return this.#segmentHeader(`${this.#dir}/${name}`) ?? [];
    });
    const headers = segments.flatMap(({ reading }) =>
      reading.kind === 'valid' ? [reading.header] : [],
    );
    for (const { path, reading } of segments) {
      if (reading.kind === 'damaged') {
        // A torn creation, if the log is whole without it.
        const severity = isRefused ? 'damage' : 'notice';
        const what = 'The header of a WAL segment cannot be read';
        this.#report.found({ severity, file: path, offset: 0, what });
      } else if (reading.kind === 'valid' && reading.header.number >= minSegment) {
        const { number } = reading.header;
        const successor = headers.find((other) => other.number === number + 1);
        this.#report.totals.segments++;
        this.#report.progress(path);
        surveySegment(this.#fs, path, {}, this.#report.found, successor?.predecessor.endOffset);
      }
    }
  }

  #segmentHeader(path: string): { path: string; reading: HeaderReading } | undefined {
    return reporting(this.#report.found, path, 0, () => {
      const handle = this.#fs.open(path, 'read');
      try {
        const block = new Uint8Array(SEGMENT_HEADER_BYTES);
        const got = handle.readAt(block, 0, block.length, 0);
        return { path, reading: decodeSegmentHeader(block.subarray(0, got)) };
      } finally {
        handle.close();
      }
    });
  }

  #otherFiles(): void {
    for (const name of this.#names) {
      const { kind } = parseFileName(name);
      let what: string | undefined;
      if (name === DISTRUST_FILE) {
        what = 'A sync failed before: the next start writes everything afresh';
      } else if (kind === 'temporary') what = 'An unfinished file; the next start removes it';
      else if (kind === 'unknown') what = 'Not a file of stormkv';
      if (what === undefined) continue;
      const file = `${this.#dir}/${name}`;
      this.#report.found({ severity: 'notice', file, offset: 0, what });
    }
  }

  #checkIsNew(current: string): void {
    const { found } = this.#report;
    const what = 'The shard has no CURRENT file: it was never opened, or its files are gone';
    if (this.#names.length === 0) found({ severity: 'notice', file: this.#dir, offset: 0, what });
    reporting(found, current, 0, () => {
      if (this.#numbers('table').length === 0 && !walHoldsFrames(this.#fs, this.#dir)) return;
      throw new StormError(
        'DATA_CORRUPTION',
        'The shard holds data but has no CURRENT file, so it is not known which files count',
      );
    });
  }

  #numbers(wanted: 'table' | 'manifest'): number[] {
    return this.#names.flatMap((name) => {
      const parsed = parseFileName(name);
      return parsed.kind === wanted ? [parsed.number as number] : [];
    });
  }
}
