/** Expire and Ttl of one key, which the router has admitted. */
import type { StormError } from '../base/errors.js';
import type { ExpireDone, TtlDone } from '../rpc/kv-operations.js';
import {
  commitRequest,
  MESSAGE_MISSING,
  MESSAGE_WRITTEN,
  type ReplyView,
  tryReserveRequest,
} from '../rpc/messages.js';
import { MESSAGE_TTL, MESSAGE_TTL_IS } from '../rpc/read-messages.js';
import { tryWriteExpire } from '../rpc/write-messages.js';
import { damagedError } from './call-errors.js';
import type { ServingSeat } from './router-types.js';
import type { ShardCalls } from './shard-calls.js';

export function sendExpire(
  calls: ShardCalls,
  seat: ServingSeat,
  key: Uint8Array,
  ttlMs: number,
  timeoutMs: number,
  done: ExpireDone,
): void {
  const callId = calls.nextCallId();
  const lane = seat.link.writeRequests;
  if (callId < 0 || !tryWriteExpire(lane, callId, calls.slotMapEpoch, key, ttlMs)) {
    done(calls.busy(seat.shard), 0);
    return;
  }
  calls.begin(seat, timeoutMs, undefined, undefined, {
    isWrite: true,
    reply({ type, sequence }: ReplyView): void {
      if (type === MESSAGE_WRITTEN) done(undefined, sequence);
      else if (type === MESSAGE_MISSING) done(undefined, 0);
      else done(damagedError(`an expiry was answered with type ${type}`), 0);
    },
    fail: (error: StormError) => done(error, 0),
  });
}

export function sendTtl(
  calls: ShardCalls,
  seat: ServingSeat,
  key: Uint8Array,
  timeoutMs: number,
  done: TtlDone,
): void {
  const callId = calls.nextCallId();
  const lane = seat.link.readRequests;
  const { slotMapEpoch } = calls;
  const at =
    callId < 0 ? -1 : tryReserveRequest(lane, MESSAGE_TTL, callId, slotMapEpoch, key.length);
  if (at < 0) {
    done(calls.busy(seat.shard), undefined);
    return;
  }
  lane.bytes.set(key, at);
  calls.begin(seat, timeoutMs, undefined, undefined, {
    isWrite: false,
    reply({ type, sequence, remainingMs }: ReplyView): void {
      if (type === MESSAGE_TTL_IS) done(undefined, { sequence, remainingMs });
      else if (type === MESSAGE_MISSING) done(undefined, undefined);
      else done(damagedError(`a time to live was answered with type ${type}`), undefined);
    },
    fail: (error: StormError) => done(error, undefined),
  });
  commitRequest(lane, key.length);
}
