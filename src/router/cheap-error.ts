/** Errors that are answers, not surprises: made without the stack, which is most of their cost. */
import type { StormError } from '../base/errors.js';

export function cheaply(make: () => StormError): StormError {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
}
