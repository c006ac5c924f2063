/**
 * Where audit lines are written: to a file of their own, JSON line by line, or to the log. A line
 * that cannot be written is said in the log and does not stop the service; the file is opened anew
 * at a reload, so that it can be moved away. Main thread.
 */
import type { Clock } from '../base/clock.js';
import { messageOf, StormError } from '../base/errors.js';
import type { AuditRecord } from '../rpc/audit.js';
import type { FileHandle, FileSystem } from '../storage/file-system.js';
import type { Log, LogFields } from './log.js';

const COMPLAINT_MS = 10_000;

export interface AuditLogOptions {
  /** Empty = the log. */
  path: string;
  fs: FileSystem;
  log: Log;
  clock: Clock;
}

export class AuditLog {
  readonly #options: AuditLogOptions;
  #file: FileHandle | undefined;
  #endAt = 0;
  #complainedMs = -Infinity;

  /** Throws when the file cannot be opened: a server that should audit does not start without. */
  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.reopen();
  }

  write(record: AuditRecord, router: number | undefined): void {
    const fields = fieldsOf(record, router);
    if (this.#file === undefined && this.#options.path === '') {
      const level = record.event === 'refused' || record.event === 'connection' ? 'warn' : 'info';
      this.#options.log.write(level, `Audit: ${record.event}`, { component: 'audit', ...fields });
      return;
    }
    const time = new Date(this.#options.clock.wallMs()).toISOString();
    try {
      this.#append(Buffer.from(`${JSON.stringify({ time, ...fields })}\n`));
    } catch (error) {
      this.#complain(error);
    }
  }

  /** Goes on with the file of that name, maybe another one now. Throws as the constructor. */
  reopen(): void {
    const { path, fs } = this.#options;
    if (path === '') return;
    this.close();
    try {
      this.#file = fs.open(path, fs.stat(path) === undefined ? 'create' : 'update');
    } catch (cause) {
      const text = `Cannot write the audit file ${path} (audit.file): ${messageOf(cause)}`;
      throw new StormError('INVALID_ARGUMENT', text, { cause });
    }
    this.#endAt = this.#file.sizeBytes();
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #append(line: Uint8Array): void {
    if (this.#file === undefined) throw new Error('the file is closed');
    this.#file.writeAt(line, 0, line.length, this.#endAt);
    this.#endAt += line.length;
  }

  #complain(error: unknown): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#complainedMs < COMPLAINT_MS) return;
    this.#complainedMs = nowMs;
    const fields = { component: 'audit', file: this.#options.path, error: messageOf(error) };
    this.#options.log.write('error', 'Audit lines cannot be written', fields);
  }
}

function fieldsOf(record: AuditRecord, router: number | undefined): LogFields {
  const fields: LogFields = {};
  for (const [name, value] of Object.entries({ ...record, router })) {
    if (value !== undefined) fields[name] = value;
  }
  return fields;
}
