/**
 * Holds what the doors are secured with, reads it again when its files change or it is asked to,
 * and hands what is good to the routers. What is broken changes nothing but the log. Main thread.
 */
import type { Clock } from '../base/clock.js';
import { messageOf } from '../base/errors.js';
import type { AuditRecord } from '../rpc/audit.js';
import type { SecuritySettings } from '../rpc/door-security.js';
import type { FileSystem } from '../storage/file-system.js';
import { AuditLog } from './audit-log.js';
import type { Log } from './log.js';
import { certificatesOf, readSecurity, type SecurityPaths } from './security-files.js';
import type { Timers } from './timers.js';

export interface SecurityDeskOptions {
  paths: SecurityPaths;
  /** How often the files are looked at. */
  filesCheckMs: number;
  /** Empty = the log. */
  auditFile: string;
  fs: FileSystem;
  log: Log;
  clock: Clock;
  timers: Timers;
}

export interface ReloadResult {
  changed: boolean;
  /** Why what was found is not used; empty when it is. */
  error: string;
}

const DAY_MS = 86_400_000;
const EXPIRY_WARNING_MS = 14 * DAY_MS;
const COMPONENT = { component: 'security' };

export class SecurityDesk {
  readonly #options: SecurityDeskOptions;
  readonly #audit: AuditLog;
  #settings: SecuritySettings;
  #text: string;
  /** The last failure that was said. */
  #lastError = '';
  #send: (settings: SecuritySettings) => void = () => {};
  #cancel: () => void = () => {};

  /** Throws when the files cannot be used: a server that should be secured does not start open. */
  constructor(options: SecurityDeskOptions) {
    this.#options = options;
    this.#settings = readSecurity(options.paths, options.fs);
    this.#text = JSON.stringify(this.#settings);
    this.#audit = new AuditLog({ ...options, path: options.auditFile });
    this.#warnOfExpiry();
  }

  get settings(): SecuritySettings {
    return this.#settings;
  }

  /** From now on every change is sent. */
  start(send: (settings: SecuritySettings) => void): void {
    this.#send = send;
    const { tls, principals } = this.#settings;
    if (tls !== undefined || principals !== undefined) this.#watch();
  }

  /** Reads everything again; never throws. Also opens the audit file anew. */
  reload(): ReloadResult {
    try {
      this.#audit.reopen();
    } catch (error) {
      this.#fail(messageOf(error));
    }
    return this.#refresh();
  }

  audit(record: AuditRecord, router?: number): void {
    this.#audit.write(record, router);
  }

  close(): void {
    this.#cancel();
    this.#audit.close();
  }

  #watch(): void {
    this.#cancel = this.#options.timers.after(this.#options.filesCheckMs, () => {
      this.#refresh();
      this.#watch();
    });
  }

  #refresh(): ReloadResult {
    let found: SecuritySettings;
    try {
      found = readSecurity(this.#options.paths, this.#options.fs);
    } catch (error) {
      return this.#fail(messageOf(error));
    }
    this.#lastError = '';
    const text = JSON.stringify(found);
    if (text === this.#text) return { changed: false, error: '' };
    this.#settings = found;
    this.#text = text;
    this.#send(found);
    const principals = found.principals?.length ?? 0;
    const message = 'Certificates and principals were read again';
    this.#options.log.write('info', message, { ...COMPONENT, principals });
    this.audit({ event: 'security', operation: 'reload', outcome: 'ok', entries: principals });
    this.#warnOfExpiry();
    return { changed: true, error: '' };
  }

  /** The same failure is said once, however often the files are looked at. */
  #fail(error: string): ReloadResult {
    if (error !== this.#lastError) {
      const text = 'Certificates or principals cannot be used; the former ones go on';
      this.#options.log.write('error', text, { ...COMPONENT, error });
      this.audit({ event: 'security', operation: 'reload', outcome: 'refused', reason: error });
    }
    this.#lastError = error;
    return { changed: false, error };
  }

  #warnOfExpiry(): void {
    const { tls } = this.#settings;
    const { paths, clock, log } = this.#options;
    if (tls === undefined) return;
    const [own] = certificatesOf(tls.cert, paths.certFile);
    const endMs = Date.parse(own?.validTo ?? '');
    if (!(endMs - clock.wallMs() < EXPIRY_WARNING_MS)) return;
    const file = paths.certFile;
    const text = "The server's certificate ends soon or has ended: replace its files";
    log.write('warn', text, { ...COMPONENT, file, validTo: own?.validTo ?? '' });
  }
}
