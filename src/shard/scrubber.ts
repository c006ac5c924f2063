/**
 * Reads every byte again that a shard lives on, in small pieces on the pool's threads, and compares
 * checksums: all tables of its version, then the full segments of its log. Belongs to the shard's
 * thread, as a part of its housekeeping.
 *
 * In the background it keeps within a budget of bytes per second, so a pass takes as long as it
 * takes; a pass that an operator asks for goes at full speed. Nothing is believed damaged at once:
 * a table whose sum differs is checked whole, block by block, and only what is found then counts.
 */
import type { EngineOptions, LogMessage } from '../rpc/control.js';
import type { JobResult, ScrubJob } from '../rpc/jobs.js';
import type { ScrubPass } from '../rpc/shard-operations.js';
import { tableFileName } from '../storage/file-names.js';
import type { PlacedTable } from '../storage/manifest-format.js';
import type { LogSegment } from '../storage/write-ahead-log.js';
import { DamagedTable } from './damaged-table.js';
import type { EngineEnv } from './engine-env.js';
import type { Version } from './version.js';

const SLICE_BYTES_MAX = 4 << 20;
/** A small store is not read over and over. */
const PASS_EVERY_MS = 60_000;
const RETRY_MS = 1000;
/** These say nothing about the bytes. */
const PASSING = ['RESOURCE_EXHAUSTED', 'UNAVAILABLE', 'WORKER_DIED', 'INTERNAL'];

export interface ScrubHost {
  version(): Version;
  /** Full ones that are needed. */
  segments(): LogSegment[];
  /** Takes a table of the version out of service, durably. */
  outOfService(table: number): void;
  /** Puts what the log holds into tables soon. */
  flushSoon(): void;
}

interface Pass extends ScrubPass {
  readonly isFast: boolean;
  /** Tables with higher numbers came later. */
  readonly tableMax: number;
  lastTable: number;
  lastSegment: number;
  /** The table at hand and what is known of it. */
  table: PlacedTable | undefined;
  at: number;
  crc32: number;
}

export class Scrubber {
  readonly totals = { scrubPassesTotal: 0, scrubBytesTotal: 0, scrubDamageTotal: 0 };
  readonly #env: EngineEnv;
  readonly #options: EngineOptions;
  readonly #host: ScrubHost;
  #pass: Pass | undefined;
  #nextId = 1;
  #isBusy = false;
  #isClosed = false;
  #dueMs: number;
  readonly #lines: LogMessage[] = [];

  constructor(env: EngineEnv, options: EngineOptions, host: ScrubHost) {
    this.#env = env;
    this.#options = options;
    this.#host = host;
    this.#dueMs = env.clock.monotonicMs() + (this.#budget > 0 ? PASS_EVERY_MS : Infinity);
  }

  get #budget(): number {
    return this.#options.scrubBytesPerSecond ?? 0;
  }

  /** When `run` has something to do again; monotonic ms. */
  get dueMs(): number {
    return this.#isBusy ? Number.POSITIVE_INFINITY : this.#dueMs;
  }

  takeLogLine(): LogMessage | undefined {
    return this.#lines.shift();
  }

  /** Starts a pass at full speed, unless one goes on; returns how it stands. */
  startPass(): ScrubPass {
    if (this.#pass?.isFast !== true || this.#pass.isDone) this.#begin(true);
    this.#dueMs = this.#env.clock.monotonicMs();
    return this.status(this.#pass?.id ?? 0) as ScrubPass;
  }

  /** Undefined for a pass that was not the last one. */
  status(id: number): ScrubPass | undefined {
    const pass = this.#pass;
    if (pass?.id !== id) return undefined;
    const { doneBytes, totalBytes, isDone, damage } = pass;
    return { id, doneBytes, totalBytes, isDone, damage: [...damage] };
  }

  run(now: number): void {
    if (this.#isBusy || now < this.#dueMs) return;
    if (this.#pass === undefined || this.#pass.isDone) this.#begin(false);
    const pass = this.#pass;
    if (pass !== undefined && !this.#startNext(pass)) this.#end(pass, now);
  }

  close(): void {
    this.#isClosed = true;
  }

  #begin(isFast: boolean): void {
    const tables = this.#tables();
    const tableBytes = tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    this.#pass = {
      id: this.#nextId++,
      isFast,
      isDone: false,
      doneBytes: 0,
      totalBytes: tableBytes + this.#host.segments().length * this.#options.walSegmentBytes,
      damage: [],
      tableMax: tables.at(-1)?.number ?? 0,
      lastTable: 0,
      lastSegment: 0,
      table: undefined,
      at: 0,
      crc32: 0,
    };
  }

  #end(pass: Pass, now: number): void {
    pass.isDone = true;
    pass.totalBytes = pass.doneBytes;
    this.totals.scrubPassesTotal++;
    this.#dueMs = this.#budget > 0 ? now + PASS_EVERY_MS : Number.POSITIVE_INFINITY;
    const { doneBytes, damage } = pass;
    this.#log('info', 'A scrub pass is over', { bytes: doneBytes, damaged: damage.length });
  }

  /** Of the version, by number, those in service. */
  #tables(): PlacedTable[] {
    const open = this.#host.version().tables();
    return open
      .filter(({ reader }) => !(reader instanceof DamagedTable))
      .map(({ meta }) => meta)
      .sort((a, b) => a.number - b.number);
  }

  /** False when there is nothing left. */
  #startNext(pass: Pass): boolean {
    const open = pass.table;
    if (open === undefined || !this.#isLive(open.number)) {
      pass.table = this.#tables().find(
        ({ number }) => number > pass.lastTable && number <= pass.tableMax,
      );
      pass.at = 0;
      pass.crc32 = 0;
    }
    if (pass.table !== undefined) {
      this.#slice(pass, pass.table);
      return true;
    }
    const segment = this.#host.segments().find(({ number }) => number > pass.lastSegment);
    if (segment === undefined) return false;
    this.#segment(pass, segment);
    return true;
  }

  #slice(pass: Pass, table: PlacedTable): void {
    pass.lastTable = table.number;
    const budget = pass.isFast ? SLICE_BYTES_MAX : this.#budget;
    const length = Math.min(SLICE_BYTES_MAX, Math.max(1, budget), table.sizeBytes - pass.at);
    const name = tableFileName(table.number);
    const part = { kind: 'slice', name, from: pass.at, length, crc32: pass.crc32 } as const;
    this.#submit(pass, part, length, (result) => {
      if (!result.ok) {
        this.#checkWhole(pass, table, result.message);
        return;
      }
      pass.at += length;
      pass.crc32 = result.output.crc32 ?? 0;
      if (pass.at < table.sizeBytes) return;
      pass.table = undefined;
      if (pass.crc32 === table.crc32) return;
      this.#checkWhole(pass, table, 'the checksum of the whole file differs');
    });
  }

  #checkWhole(pass: Pass, table: PlacedTable, why: string): void {
    pass.table = undefined;
    if (!this.#isLive(table.number)) return;
    this.#submit(pass, { kind: 'table', table }, 0, (result) => {
      if (!this.#isLive(table.number)) return;
      const damage = result.ok ? (result.output.damage ?? []) : [result.message];
      const file = `${this.#options.dir}/${tableFileName(table.number)}`;
      if (damage.length === 0) {
        this.#log('warn', 'A table read differently once, then well', { file, why });
        return;
      }
      this.#found(pass, file, damage.join('; '));
      this.#host.outOfService(table.number);
    });
  }

  /** Its writes are in memory as well: tables made of that replace it. */
  #segment(pass: Pass, { path, number, lastSequence }: LogSegment): void {
    pass.lastSegment = number;
    const name = path.slice(path.lastIndexOf('/') + 1);
    const sizeBytes = this.#options.walSegmentBytes;
    const part = { kind: 'log', name, number, lastSequence, sizeBytes } as const;
    this.#submit(pass, part, sizeBytes, (result) => {
      const isLive = this.#host.segments().some((one) => one.number === number);
      const damage = result.ok ? (result.output.damage ?? []) : [result.message];
      if (!isLive || damage.length === 0) return;
      this.#found(pass, path, damage.join('; '));
      this.#host.flushSoon();
    });
  }

  #isLive(table: number): boolean {
    return this.#tables().some(({ number }) => number === table);
  }

  #submit(
    pass: Pass,
    part: ScrubJob['part'],
    bytes: number,
    done: (result: JobResult) => void,
  ): void {
    this.#isBusy = true;
    this.#env.jobs.submit({ kind: 'scrub', dir: this.#options.dir, part }, (result) => {
      if (this.#isClosed) return;
      this.#isBusy = false;
      const now = this.#env.clock.monotonicMs();
      if (!result.ok && PASSING.includes(result.code)) {
        this.#dueMs = now + RETRY_MS;
        this.#again(pass, part);
        return;
      }
      this.#dueMs = pass.isFast ? now : now + (bytes * 1000) / Math.max(1, this.#budget);
      pass.doneBytes += bytes;
      this.totals.scrubBytesTotal += bytes;
      if (pass === this.#pass) done(result);
    });
  }

  /** The same part is taken next time. */
  #again(pass: Pass, part: ScrubJob['part']): void {
    if (part.kind === 'log') pass.lastSegment = part.number - 1;
    if (part.kind !== 'table') return;
    pass.table = undefined;
    pass.lastTable = part.table.number - 1;
  }

  #found(pass: Pass, file: string, what: string): void {
    pass.damage.push(`${file}: ${what}`);
    this.totals.scrubDamageTotal++;
    this.#log('error', 'The scrub found damage', { file, what });
  }

  #log(level: LogMessage['level'], message: string, fields: LogMessage['fields']): void {
    this.#lines.push({ kind: 'log', level, message, fields });
  }
}
