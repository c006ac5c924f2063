/**
 * Has a running server take over what can change of its configuration. A file with faults changes
 * nothing; certificates and principals are looked at all the same. Main thread.
 */
import type { Config } from '../config/config.js';
import { configChanges } from '../config/config-changes.js';
import type { ReloadReport } from '../rpc/admin-operations.js';
import type { Log } from './log.js';
import type { SecurityDesk } from './security-desk.js';

export interface ReloaderOptions {
  /** Of the start. */
  config: Config;
  /** Reads it as the start did; throws with every fault. Undefined = there is no file. */
  read: (() => Config) | undefined;
  security: Pick<SecurityDesk, 'reload'>;
  log: Log;
}

const COMPONENT = { component: 'supervisor' };

export class Reloader {
  readonly #options: ReloaderOptions;
  #last: Config;
  #apply: (config: Config) => void = () => {};

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#last = options.config;
  }

  /** What puts the options into effect that can change. */
  start(apply: (config: Config) => void): void {
    this.#apply = apply;
  }

  /** Throws INVALID_ARGUMENT when the configuration has faults. */
  reload(): ReloadReport {
    const { config, read, security, log } = this.#options;
    const { changed: securityChanged, error: securityError } = security.reload();
    const report: ReloadReport = { applied: [], needRestart: [], securityChanged, securityError };
    if (read !== undefined) {
      const now = read();
      report.applied = configChanges(this.#last, now).applied;
      report.needRestart = configChanges(config, now).needRestart;
      this.#last = now;
      if (report.applied.length > 0) this.#apply(now);
    }
    const applied = report.applied.join(' ');
    const needRestart = report.needRestart.join(' ');
    log.write('info', 'The configuration was read again', { ...COMPONENT, applied, needRestart });
    return report;
  }
}
