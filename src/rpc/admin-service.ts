/** The methods of kv.Admin as functions from message to message, whatever carries them. */
import { encodeStatsResponse } from './admin-codec.js';
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

export const ADMIN_METHODS = {
  Stats: stats,
} as const satisfies Record<string, AdminMethod>;
