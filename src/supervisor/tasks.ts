/** Keeps what operators have started (rpc/admin-tasks.ts), the last of it also when it is over. */
import { messageOf, StormError } from '../base/errors.js';
import type { TaskKind, TaskStatus } from '../rpc/admin-tasks.js';

/** More than an operator looks back. */
const KEPT_MAX = 64;

export type Report = (doneBytes: number, totalBytes: number) => void;

export class Tasks {
  readonly #tasks = new Map<number, TaskStatus>();
  #nextId = 1;

  /**
   * Starts `work`; what it resolves with becomes the report. Throws FAILED_PRECONDITION while one
   * of the kind runs.
   */
  start(kind: TaskKind, work: (report: Report) => Promise<object>): TaskStatus {
    const running = [...this.#tasks.values()].find(
      (task) => task.kind === kind && task.state === 'running',
    );
    if (running !== undefined) {
      throw new StormError(
        'FAILED_PRECONDITION',
        `A ${kind} is under way (task ${running.id}): wait for its end`,
      );
    }
    const status: TaskStatus = {
      id: this.#nextId++,
      kind,
      state: 'running',
      doneBytes: 0,
      totalBytes: 0,
      code: '',
      message: '',
      report: '',
    };
    this.#tasks.set(status.id, status);
    this.#forgetOldest();
    const report: Report = (doneBytes, totalBytes) => {
      status.doneBytes = doneBytes;
      status.totalBytes = totalBytes;
    };
    work(report).then(
      (result) => {
        status.report = JSON.stringify(result);
        status.state = 'done';
      },
      (error: unknown) => {
        status.code = error instanceof StormError ? error.code : 'INTERNAL';
        status.message = messageOf(error);
        status.state = 'failed';
      },
    );
    return { ...status };
  }

  /** A copy; throws NOT_FOUND. */
  status(id: number): TaskStatus {
    const found = this.#tasks.get(id);
    if (found !== undefined) return { ...found };
    throw new StormError('NOT_FOUND', `There is no task ${id}: the server has restarted, perhaps`);
  }

  #forgetOldest(): void {
    for (const [id, { state }] of this.#tasks) {
      if (this.#tasks.size <= KEPT_MAX) return;
      if (state !== 'running') this.#tasks.delete(id);
    }
  }
}
