/** Why the router itself, not a shard, refuses or gives up a call; each knows the outcome. */
import { StormError } from '../base/errors.js';
import type { ShardSeat } from './router-types.js';

const MAYBE_APPLIED = '; the write may or may not have been applied';

/** Sent, and then the shard's link died. */
export function lostError(seat: ShardSeat, isWrite: boolean, retryAfterMs: number): StormError {
  const text = `Shard ${seat.shard} stopped: ${seat.reason}${isWrite ? MAYBE_APPLIED : ''}`;
  const outcome = isWrite ? 'unknown' : 'not-applied';
  return new StormError('UNAVAILABLE', text, { outcome, retryAfterMs });
}

/** A shard that is known to be down: nothing was tried. */
export class ShardDownError extends StormError {}

/** Not sent, because the shard is down or refuses its data. */
export function notServingError(seat: ShardSeat, retryAfterMs: number): StormError {
  if (seat.state === 'refused') {
    const text = `Shard ${seat.shard} does not serve its data: ${seat.reason}`;
    return new ShardDownError('FAILED_PRECONDITION', `${text}; an operator must look at it`);
  }
  const text = `Shard ${seat.shard} is down: ${seat.reason}; try again a little later`;
  return new ShardDownError('UNAVAILABLE', text, { retryAfterMs });
}

/** Not sent, because a bound is reached. */
export function busyError(why: string, retryAfterMs: number): StormError {
  const text = `Too busy: ${why}; try again a little later`;
  return new StormError('RESOURCE_EXHAUSTED', text, { retryAfterMs });
}

/** `wasWriteSent`: it may yet be applied. */
export function deadlineError(wasWriteSent: boolean): StormError {
  const text = `The deadline passed${wasWriteSent ? MAYBE_APPLIED : ''}`;
  const outcome = wasWriteSent ? 'unknown' : 'not-applied';
  return new StormError('DEADLINE_EXCEEDED', text, { outcome });
}

/** A shard broke the rules of the channel. */
export function damagedError(what: string): StormError {
  return new StormError('INTERNAL', `Channel damaged: ${what}`, { outcome: 'unknown' });
}
