/**
 * valibot schemas made from the option table: of one value, and of the whole file (from which
 * scripts/make-schema.mjs writes the JSON Schema). The only importer of valibot.
 */
import * as v from 'valibot';
import { parseAddress } from '../base/address.js';
import { CONFIG_PATHS, OPTION_OF } from './option-table.js';
import type { Option } from './option-types.js';
import { QUOTA_PATTERN, SCOPE_PATTERN } from './traffic-options.js';

const TEXT_MAX = 4096;
const HOST_PATTERN = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/;
const ORIGIN_PATTERN = /^https?:\/\/(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/;
const ADDRESS_PATTERN = /^(?:\[[0-9A-Fa-f:.]+\]|[^\s:[\]/]+):\d{1,5}$/;

/** True when the value is one that the option may have. */
export function isValid(option: Option, value: unknown): boolean {
  return v.safeParse(valueSchema(option), value).success;
}

/** What the option expects, to follow "must be": `a whole number of bytes from 1 to 4096`. */
export function expectationOf(option: Option): string {
  switch (option.type) {
    case 'integer': {
      const unit = option.unit === undefined ? '' : ` of ${option.unit}`;
      return `a whole number${unit} from ${option.min} to ${option.max}`;
    }
    case 'number':
      return `a number from ${option.min} to ${option.max}`;
    case 'choice':
      return `one of ${option.choices.map((choice) => JSON.stringify(choice)).join(', ')}`;
    case 'boolean':
      return 'true or false';
    case 'address':
      return 'an address HOST:PORT, like "127.0.0.1:8080" or "[::1]:0"';
    case 'hosts':
      return 'a list of host names, like ["store.example", "10.0.0.7:8080"]';
    case 'origins':
      return 'a list of origins without a path, like ["https://dash.example"]';
    case 'quotas':
      return 'a list of "CALLER CLASS RATE BURST", like ["analytics scan 1000 5000"]';
    case 'scopes':
      return 'a list out of global, read, write, scan, admin and caller';
    case 'file':
      return 'the path of a file, or an empty text for none';
    case 'text':
      return 'a text that is not empty';
  }
}

function valueSchema(option: Option) {
  switch (option.type) {
    case 'integer':
      return v.pipe(
        v.number(),
        v.integer(),
        v.minValue(option.min),
        v.maxValue(option.max),
        v.description(option.help),
      );
    case 'number':
      return v.pipe(
        v.number(),
        v.minValue(option.min),
        v.maxValue(option.max),
        v.description(option.help),
      );
    case 'choice':
      return v.pipe(v.picklist(option.choices), v.description(option.help));
    case 'boolean':
      return v.pipe(v.boolean(), v.description(option.help));
    case 'address':
      return v.pipe(
        v.string(),
        v.regex(ADDRESS_PATTERN),
        v.check(isAddress),
        v.description(option.help),
      );
    case 'hosts':
      return v.pipe(listOf(HOST_PATTERN), v.description(option.help));
    case 'origins':
      return v.pipe(listOf(ORIGIN_PATTERN), v.description(option.help));
    case 'quotas':
      return v.pipe(listOf(QUOTA_PATTERN), v.description(option.help));
    case 'scopes':
      return v.pipe(listOf(SCOPE_PATTERN), v.description(option.help));
    case 'file':
      return v.pipe(v.string(), v.maxLength(TEXT_MAX), v.description(option.help));
    case 'text':
      return v.pipe(v.string(), v.minLength(1), v.maxLength(TEXT_MAX), v.description(option.help));
  }
}

function listOf(pattern: RegExp) {
  return v.array(v.pipe(v.string(), v.regex(pattern)));
}

function isAddress(text: string): boolean {
  try {
    parseAddress(text);
    return true;
  } catch {
    // The caller says what is expected, better than the parser's message could.
    return false;
  }
}

/** The schema of kv.config.json. */
export function fileSchema() {
  const sections: Record<string, Record<string, v.GenericSchema>> = {};
  for (const path of CONFIG_PATHS) {
    const [section = '', name = ''] = path.split('.');
    const option = OPTION_OF[path];
    sections[section] ??= {};
    sections[section][name] = v.optional(valueSchema(option) as v.GenericSchema, option.default);
  }
  const entries: Record<string, v.GenericSchema> = { $schema: v.optional(v.string()) };
  for (const [section, options] of Object.entries(sections)) {
    entries[section] = v.optional(v.strictObject(options));
  }
  return v.strictObject(entries);
}
