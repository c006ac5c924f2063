import { StormError } from '../base/errors.js';
import { type OptionValues, textOption } from './command.js';

/** A whole number from an option's text. Throws INVALID_ARGUMENT. */
export function parseNumber(option: string, text: string, min: number, max: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new StormError(
    'INVALID_ARGUMENT',
    `${option} must be a whole number from ${min} to ${max}: found ${JSON.stringify(text)}`,
  );
}

/** As `parseNumber`; undefined when the option was not given. */
export function numberOption(
  options: OptionValues,
  name: string,
  flag: string,
  min: number,
  max: number,
): number | undefined {
  const text = textOption(options, name);
  return text === undefined ? undefined : parseNumber(flag, text, min, max);
}
