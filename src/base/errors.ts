/**
 * The one error class that crosses module borders. Every failure a caller can meet has a stable
 * `code`, says whether its effect is known, and tells what to do next in its message.
 */
export const ERROR_CODES = [
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'RESOURCE_EXHAUSTED',
  'UNAVAILABLE',
  'DEADLINE_EXCEEDED',
  'FAILED_PRECONDITION',
  'ABORTED',
  /** Who calls is not known: no credentials, or none that are good. */
  'UNAUTHENTICATED',
  /** Who calls is known and may not do this. */
  'PERMISSION_DENIED',
  'DATA_CORRUPTION',
  'WRONG_SHARD',
  'UNIMPLEMENTED',
  'INTERNAL',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/** What is known of a failed write: surely not applied, or perhaps applied. */
export type Outcome = 'not-applied' | 'unknown';

export interface StormErrorOptions {
  cause?: unknown;
  outcome?: Outcome;
  /** When it makes sense to try again, in milliseconds. */
  retryAfterMs?: number;
}

export class StormError extends Error {
  readonly code: ErrorCode;
  readonly outcome: Outcome;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: StormErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StormError';
    this.code = code;
    this.outcome = options.outcome ?? 'not-applied';
    this.retryAfterMs = options.retryAfterMs;
  }
}

export interface DamageSite {
  file: string;
  /** Byte offset in the file where the damage was met. */
  offset: number;
  /** The first sequence number that may be affected, where known. */
  sequence?: number;
}

/** Stored bytes that fail verification. Never answered as "not found", never skipped. */
export class CorruptionError extends StormError {
  readonly site: DamageSite;

  constructor(what: string, site: DamageSite, cause?: unknown) {
    const sequence = site.sequence === undefined ? '' : `, sequence ${site.sequence}`;
    super('DATA_CORRUPTION', `${what} (file ${site.file}, offset ${site.offset}${sequence})`, {
      cause,
    });
    this.name = 'CorruptionError';
    this.site = site;
  }
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a system error (ENOSPC, EIO …), or undefined. */
export function systemCodeOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return error.code;
  }
  return undefined;
}
