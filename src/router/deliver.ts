/** How a reply, or the lack of one, reaches who waits for it. */
import type { StormError } from '../base/errors.js';
import {
  MESSAGE_MISSING,
  MESSAGE_VALUE,
  MESSAGE_WRITTEN,
  type ReplyView,
} from '../rpc/messages.js';
import type { RingConsumer } from '../rpc/ring-channel.js';
import { damagedError } from './call-errors.js';
import type { Waiter } from './in-flight-table.js';

/** Hands a shard's reply to who waits for it; nobody may, when the deadline had passed. */
export function deliver(waiter: Waiter, reply: ReplyView, lane: RingConsumer): void {
  const { write, read, handler } = waiter;
  const { type, sequence } = reply;
  if (write !== undefined) {
    if (type === MESSAGE_WRITTEN) write(undefined, sequence);
    else write(reply.error ?? damagedError(`a write was answered with type ${type}`), 0);
    return;
  }
  if (handler !== undefined) {
    if (reply.error === undefined) handler.reply(reply, lane.bytes);
    else handler.fail(reply.error);
    return;
  }
  if (read === undefined) return;
  if (type === MESSAGE_VALUE) {
    const end = reply.valueStart + reply.valueLength;
    read(undefined, Buffer.from(lane.bytes.subarray(reply.valueStart, end)), sequence);
  } else if (type === MESSAGE_MISSING) read(undefined, undefined, 0);
  else read(reply.error ?? damagedError(`a read was answered with type ${type}`), undefined, 0);
}

/** Answers with an error of the router's own making. */
export function refuse(waiter: Waiter, errorFor: (isWrite: boolean) => StormError): void {
  if (waiter.write !== undefined) waiter.write(errorFor(true), 0);
  else if (waiter.handler !== undefined) waiter.handler.fail(errorFor(waiter.handler.isWrite));
  else waiter.read?.(errorFor(false), undefined, 0);
}
