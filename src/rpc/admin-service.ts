/** The methods of kv.Admin as functions from message to message, whatever carries them. */
import { decodeKillWorkerRequest, encodeStatsResponse } from './admin-codec.js';
import type { AdminOperations } from './admin-operations.js';
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

export const ADMIN_METHODS = {
  Stats: stats,
  KillWorker: killWorker,
} as const satisfies Record<string, AdminMethod>;
