/** A gRPC door on a thread of its own whose store answers every batch and keeps nothing. */

import { parentPort } from 'node:worker_threads';
import { RunReader } from '../../src/base/entry-run.js';
import { StormError } from '../../src/base/errors.js';
import { systemClock } from '../../src/base/system-clock.js';
import { openAccess } from '../../src/rpc/access.js';
import { GRPC_LIMITS_DEFAULT, startGrpcServer } from '../../src/rpc/grpc-server.js';
import type { Batch, BatchSetDone, KvOperations } from '../../src/rpc/kv-operations.js';

const nothing = (): never => {
  throw new StormError('UNIMPLEMENTED', 'The empty pipe only takes batches');
};
const reader = new RunReader();
const operations: KvOperations = {
  set: nothing,
  delete: nothing,
  get: nothing,
  batchGet: nothing,
  expire: nothing,
  ttl: nothing,
  scan: nothing,
  deletePrefix: nothing,
  hasRoomForBatch: () => true,
  onRoom: () => {},
  batchSet({ run }: Batch, _timeoutMs: number, done: BatchSetDone): void {
    reader.reset(run, 0, run.length);
    let written = 0;
    while (reader.next()) written++;
    done(undefined, { written, errors: [] });
  },
};
const limits = { keyBytesMax: 4096, valueBytesMax: 1 << 20, batchBytesMax: 4 << 20 };
const server = await startGrpcServer({
  address: '127.0.0.1:0',
  access: openAccess(operations, {
    stats: nothing,
    killWorker: nothing,
    backup: nothing,
    scrub: nothing,
    task: nothing,
    reload: nothing,
  }),
  limits: { ...GRPC_LIMITS_DEFAULT, ...limits },
  clock: systemClock,
});
parentPort?.postMessage(server.address);
