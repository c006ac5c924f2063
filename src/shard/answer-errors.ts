/** Errors that a shard answers requests with. */
import { messageOf, StormError } from '../base/errors.js';

export function wrongShard(request: { slotMapEpoch: number }, epoch: number): StormError {
  return new StormError(
    'WRONG_SHARD',
    `The request was routed by slot map ${request.slotMapEpoch}, this shard serves ${epoch}`,
  );
}

export function asStormError(error: unknown): StormError {
  if (error instanceof StormError) return error;
  return new StormError('INTERNAL', messageOf(error), { cause: error });
}
