/**
 * Our error codes ⇄ gRPC status, total in both directions, and the metadata that go with an error.
 * Two of ours share UNAVAILABLE; `stormkv-code` tells them apart for our own clients.
 */
import { ERROR_CODES, type ErrorCode, type Outcome, StormError } from '../base/errors.js';
import { VersionConflict } from '../base/version-conflict.js';

/** gRPC's numbers (grpc/status), of which there are 17 for ever. */
export const GRPC_STATUS_OF: Record<ErrorCode, number> = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  PERMISSION_DENIED: 7,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  // The caller's map is old or the shard moves: trying again finds it.
  WRONG_SHARD: 14,
  DATA_CORRUPTION: 15,
  UNAUTHENTICATED: 16,
};

const CODE_OF_STATUS: readonly ErrorCode[] = [
  'INTERNAL', // 0 OK is no error; who asks has lost one
  'ABORTED', // 1 CANCELLED
  'INTERNAL', // 2 UNKNOWN
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'FAILED_PRECONDITION', // 6 ALREADY_EXISTS
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'INVALID_ARGUMENT', // 11 OUT_OF_RANGE
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_CORRUPTION',
  'UNAUTHENTICATED',
];

/** The hint that gRPC's own retry policy reads. */
export const METADATA_RETRY_AFTER_MS = 'grpc-retry-pushback-ms';
/** On failed writes: `unknown` or `not-applied`. */
export const METADATA_OUTCOME = 'stormkv-outcome';
/** On writes that a condition refused: the key's version now, 0 = it has no value. */
export const METADATA_VERSION = 'stormkv-version';
/** On every failed call that reached a handler: our own code. */
export const METADATA_CODE = 'stormkv-code';

/** The metadata of a failed call, in order. */
export function errorMetadata(error: StormError, isWrite: boolean): [string, string][] {
  const entries: [string, string][] = [[METADATA_CODE, error.code]];
  if (isWrite) entries.push([METADATA_OUTCOME, error.outcome]);
  if (error instanceof VersionConflict) entries.push([METADATA_VERSION, String(error.version)]);
  if (error.retryAfterMs !== undefined) {
    entries.push([METADATA_RETRY_AFTER_MS, String(Math.ceil(error.retryAfterMs))]);
  }
  return entries;
}

/** Our code for a gRPC status, made exact by the metadata where they have it. */
export function codeOfStatus(status: number, metadataCode?: string): ErrorCode {
  const named = ERROR_CODES.find((code) => code === metadataCode);
  if (named !== undefined && GRPC_STATUS_OF[named] === status) return named;
  return CODE_OF_STATUS[status] ?? 'INTERNAL';
}

/**
 * The error that a client makes of a failed call. Without `stormkv-outcome` (the call may have
 * failed anywhere on its way) a write counts as unknown.
 */
export function errorOfStatus(
  status: number,
  details: string,
  metadata: (name: string) => string | undefined,
): StormError {
  const outcome: Outcome = metadata(METADATA_OUTCOME) === 'not-applied' ? 'not-applied' : 'unknown';
  const hint = Number(metadata(METADATA_RETRY_AFTER_MS) ?? Number.NaN);
  const retry = Number.isFinite(hint) && hint >= 0 ? { retryAfterMs: hint } : {};
  const code = codeOfStatus(status, metadata(METADATA_CODE));
  const version = Number(metadata(METADATA_VERSION) ?? Number.NaN);
  if (code === 'ABORTED' && Number.isSafeInteger(version)) return new VersionConflict(version);
  return new StormError(code, details, { outcome, ...retry });
}
