/** The methods of kv.Admin as functions from message to message, whatever carries them. */
import {
  decodeKillWorkerRequest,
  encodeReloadResponse,
  encodeStatsResponse,
} from './admin-codec.js';
import type { AdminOperations } from './admin-operations.js';
import { decodeBackupRequest, decodeTaskRequest, encodeTaskStatus } from './admin-tasks.js';
import type { UnaryMethod } from './kv-service.js';

export type AdminMethod = UnaryMethod<AdminOperations>;

const EMPTY = Buffer.alloc(0);

const stats: AdminMethod = {
  isWrite: false,
  call(admin, _message, timeoutMs, reply) {
    admin.stats(timeoutMs, (error, found) =>
      reply(error, found === undefined ? EMPTY : encodeStatsResponse(found)),
    );
  },
};

const killWorker: AdminMethod = {
  isWrite: false,
  call(admin, message, timeoutMs, reply) {
    const victim = decodeKillWorkerRequest(message);
    admin.killWorker(victim, timeoutMs, (error) => reply(error, EMPTY));
  },
};

const backup: AdminMethod = {
  isWrite: false,
  call(admin, message, timeoutMs, reply) {
    admin.backup(decodeBackupRequest(message), timeoutMs, (error, task) =>
      reply(error, task === undefined ? EMPTY : encodeTaskStatus(task)),
    );
  },
};

const scrub: AdminMethod = {
  isWrite: false,
  call(admin, _message, timeoutMs, reply) {
    admin.scrub(timeoutMs, (error, begun) =>
      reply(error, begun === undefined ? EMPTY : encodeTaskStatus(begun)),
    );
  },
};

const reload: AdminMethod = {
  isWrite: false,
  call(admin, _message, timeoutMs, reply) {
    admin.reload(timeoutMs, (error, report) =>
      reply(error, report === undefined ? EMPTY : encodeReloadResponse(report)),
    );
  },
};

const task: AdminMethod = {
  isWrite: false,
  call(admin, message, timeoutMs, reply) {
    admin.task(decodeTaskRequest(message), timeoutMs, (error, found) =>
      reply(error, found === undefined ? EMPTY : encodeTaskStatus(found)),
    );
  },
};

export const ADMIN_METHODS = {
  Stats: stats,
  KillWorker: killWorker,
  Backup: backup,
  Scrub: scrub,
  Task: task,
  Reload: reload,
} as const satisfies Record<string, AdminMethod>;
