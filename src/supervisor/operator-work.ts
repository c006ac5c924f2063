/** What operators have the whole cluster do besides serving. Main thread only. */
import { StormError, systemCodeOf } from '../base/errors.js';
import type { BackupRequest, TaskStatus } from '../rpc/admin-tasks.js';
import type { CopyJob, JobResult } from '../rpc/jobs.js';
import type { AnswerTo, ShardQuestion } from '../rpc/shard-operations.js';
import type { FileSystem } from '../storage/file-system.js';
import type { Root } from '../storage/root-manifest.js';
import { type BackupHost, runBackup } from './backup-run.js';
import type { Log } from './log.js';
import { runScrubPass } from './scrub-pass.js';
import { Tasks } from './tasks.js';
import type { Timers } from './timers.js';

export interface OperatorWorkOptions {
  fs: FileSystem;
  root: Root;
  dataDir: string;
  program: string;
  log: Log;
  timers: Timers;
  wallMs(): number;
  ask<Q extends ShardQuestion>(shard: number, question: Q): Promise<AnswerTo<Q>>;
  runJob(job: CopyJob): Promise<JobResult>;
}

export class OperatorWork {
  readonly #options: OperatorWorkOptions;
  readonly #tasks = new Tasks();
  #isClosed = false;

  constructor(options: OperatorWorkOptions) {
    this.#options = options;
  }

  backup(request: BackupRequest): TaskStatus {
    this.#refuseIfClosed();
    const { log } = this.#options;
    const { dir } = request;
    return this.#tasks.start('backup', async (report) => {
      log.write('info', 'A backup begins', { component: 'supervisor', dir });
      try {
        const result = await runBackup(this.#host(), request, ({ doneBytes, totalBytes }) =>
          report(doneBytes, totalBytes),
        );
        const { id, files, bytes, newBytes } = result;
        const fields = { component: 'supervisor', dir, id, files, bytes, newBytes };
        log.write('info', 'A backup is complete', fields);
        return result;
      } catch (error) {
        const failure = asStormError(error, dir);
        const { code, message } = failure;
        log.write('error', 'A backup failed', { component: 'supervisor', dir, code, message });
        throw failure;
      }
    });
  }

  scrub(): TaskStatus {
    this.#refuseIfClosed();
    return this.#tasks.start('scrub', (report) => runScrubPass(this.#host(), report));
  }

  status(id: number): TaskStatus {
    return this.#tasks.status(id);
  }

  /** What runs fails soon. */
  close(): void {
    this.#isClosed = true;
  }

  #host(): BackupHost {
    const { fs, root, dataDir, program, timers, wallMs, ask, runJob } = this.#options;
    return {
      fs,
      root,
      dataDir,
      program,
      shardCount: root.shardCount,
      wallMs,
      ask: (shard, question) => {
        this.#refuseIfClosed();
        return ask(shard, question);
      },
      runJob,
      pause: (ms) =>
        new Promise((done) => {
          timers.after(ms, done);
        }),
    };
  }

  #refuseIfClosed(): void {
    if (!this.#isClosed) return;
    throw new StormError('FAILED_PRECONDITION', 'The server is stopping');
  }
}

function asStormError(error: unknown, dir: string): StormError {
  if (error instanceof StormError) return error;
  const code = systemCodeOf(error);
  const cause = { cause: error };
  const what = error instanceof Error ? error.message : String(error);
  if (code === undefined) return new StormError('INTERNAL', what, cause);
  const text = `${dir} cannot be written: ${what}; the server's user needs a folder of its own`;
  return new StormError('FAILED_PRECONDITION', text, cause);
}
