import { StormError } from '../base/errors.js';

/** A whole number from an option's text. Throws INVALID_ARGUMENT. */
export function parseNumber(option: string, text: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new StormError(
    'INVALID_ARGUMENT',
    `${option} must be a whole number from ${min} to ${max}: found ${JSON.stringify(text)}`,
  );
}
