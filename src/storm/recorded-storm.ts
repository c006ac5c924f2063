/** A storm as numbers, to be made again and to plan with: docs/formats/recorded-storm.md. */
import { StormError } from '../base/errors.js';
import { JsonSyntaxError, parseJsonText } from '../config/json-text.js';
import type { Spread } from './make-work.js';
import type { StormResult } from './storm-result.js';

export const RECORDED_STORM_FORMAT = 1;
const KIND = 'stormkv recorded storm';
const SECONDS_MAX = 10_000_000;

export interface RecordedStorm {
  kind: typeof KIND;
  format: typeof RECORDED_STORM_FORMAT;
  profile: string;
  door: string;
  seed: number;
  /** Entries and reads that were due in each second, from the first on. */
  offeredPerSecond: number[];
  /** Submissions that were due in each second; as long. */
  submissionsPerSecond: number[];
  entriesPerSubmission: Spread;
  keyBytes: Spread;
  valueBytes: Spread;
  /** Of submissions: reads of one key. */
  readShare: number;
}

/** Text of the file. */
export function recordedStormText(result: StormResult): string {
  const { options, sizes, timeline } = result;
  const recorded: RecordedStorm = {
    kind: KIND,
    format: RECORDED_STORM_FORMAT,
    profile: options.profile.name,
    door: options.door,
    seed: options.seed,
    offeredPerSecond: timeline.offeredPerSecond,
    submissionsPerSecond: timeline.submissionsPerSecond,
    ...sizes,
  };
  return `${JSON.stringify(recorded, undefined, 2)}\n`;
}

/** Throws INVALID_ARGUMENT that says what is wrong with the text named `name`. */
export function readRecordedStorm(name: string, text: string): RecordedStorm {
  const content = parse(name, text);
  if (!isObject(content) || content['kind'] !== KIND) {
    throw wrong(name, `it must be an object with "kind": "${KIND}" (stormkv storm --record)`);
  }
  if (content['format'] !== RECORDED_STORM_FORMAT) {
    const found = JSON.stringify(content['format']);
    throw wrong(name, `this version reads format ${RECORDED_STORM_FORMAT}: found ${found}`);
  }
  const offeredPerSecond = countsOf(name, content, 'offeredPerSecond');
  const submissionsPerSecond = countsOf(name, content, 'submissionsPerSecond');
  if (offeredPerSecond.length !== submissionsPerSecond.length) {
    throw wrong(name, 'offeredPerSecond and submissionsPerSecond must be equally long');
  }
  return {
    kind: KIND,
    format: RECORDED_STORM_FORMAT,
    profile: textOf(name, content, 'profile'),
    door: textOf(name, content, 'door'),
    seed: numberOf(name, content, 'seed'),
    offeredPerSecond,
    submissionsPerSecond,
    entriesPerSubmission: spreadOf(name, content, 'entriesPerSubmission'),
    keyBytes: spreadOf(name, content, 'keyBytes'),
    valueBytes: spreadOf(name, content, 'valueBytes'),
    readShare: numberOf(name, content, 'readShare'),
  };
}

type Json = Record<string, unknown>;

function parse(name: string, text: string): unknown {
  try {
    return parseJsonText(text).value;
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw wrong(name, `it is not well-formed JSON: ${error.message}`);
  }
}

function countsOf(name: string, content: Json, field: string): number[] {
  const list = content[field];
  const isGood =
    Array.isArray(list) &&
    list.length > 0 &&
    list.length <= SECONDS_MAX &&
    list.every((count) => Number.isFinite(count) && count >= 0);
  if (isGood) return list;
  throw wrong(name, `${field} must be a list of numbers, 0 or more, one for each second`);
}

function spreadOf(name: string, content: Json, field: string): Spread {
  const spread = content[field];
  if (!isObject(spread)) throw wrong(name, `${field} must have "mean" and "max"`);
  return { mean: numberOf(name, spread, 'mean'), max: numberOf(name, spread, 'max') };
}

function numberOf(name: string, content: Json, field: string): number {
  const value = content[field];
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
  throw wrong(name, `${field} must be a number, 0 or more: found ${JSON.stringify(value)}`);
}

function textOf(name: string, content: Json, field: string): string {
  const value = content[field];
  if (typeof value === 'string') return value;
  throw wrong(name, `${field} must be a text: found ${JSON.stringify(value)}`);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrong(name: string, what: string): StormError {
  return new StormError('INVALID_ARGUMENT', `Cannot use the recorded storm ${name}: ${what}`);
}
