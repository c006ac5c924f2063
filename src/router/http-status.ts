/** Our error codes as HTTP status and headers. */
import type { ErrorCode, StormError } from '../base/errors.js';
import { VersionConflict } from '../base/version-conflict.js';
import { etagOf } from './http-conditions.js';

export const HTTP_STATUS_OF: Record<ErrorCode, number> = {
  INVALID_ARGUMENT: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  RESOURCE_EXHAUSTED: 429,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
  // A shard that refuses its data: nothing about the request is wrong.
  FAILED_PRECONDITION: 503,
  // A condition that does not hold; its answer has the version now as an ETag.
  ABORTED: 412,
  DATA_CORRUPTION: 500,
  WRONG_SHARD: 503,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
};

export const HEADER_OUTCOME = 'stormkv-outcome';

/** The headers that go with an error. */
export function errorHeaders(error: StormError, isWrite: boolean): Record<string, string> {
  const headers: Record<string, string> = {};
  if (isWrite) headers[HEADER_OUTCOME] = error.outcome;
  if (error instanceof VersionConflict && error.version > 0) {
    headers['etag'] = etagOf(error.version);
  }
  if (error.retryAfterMs !== undefined) {
    // HTTP knows whole seconds only.
    headers['retry-after'] = String(Math.max(1, Math.ceil(error.retryAfterMs / 1000)));
  }
  return headers;
}

export interface ErrorBody {
  error: { code: string; message: string };
}

export function errorBody(code: string, message: string): ErrorBody {
  return { error: { code, message } };
}
