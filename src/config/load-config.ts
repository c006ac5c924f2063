/**
 * Makes the configuration: flags > environment > file > defaults. Nothing wrong is let pass or
 * repaired: all faults of all sources are listed together, each with the value found and what is
 * expected. Pure: the caller reads the file.
 */
import { StormError } from '../base/errors.js';
import type { Config, ConfigPath, PartialConfig } from './config.js';
import { relationFaults } from './config-relations.js';
import { didYouMean } from './did-you-mean.js';
import { type JsonDocument, JsonSyntaxError, parseJsonText } from './json-text.js';
import { expectationOf, isValid } from './option-schema.js';
import { CONFIG_PATHS, envNameOf, OPTION_OF } from './option-table.js';
import type { Option } from './option-types.js';

export interface ConfigSources {
  file?: { name: string; text: string };
  env?: Readonly<Record<string, string | undefined>>;
  /** As typed on the command line. */
  flags?: Readonly<Partial<Record<ConfigPath, string>>>;
}

export interface LoadedConfig {
  config: Config;
  /** Where each option's value comes from, for people: `default`, `STORMKV_WAL_SYNC`, … */
  origins: Readonly<Record<ConfigPath, string>>;
  /** What looks odd and was ignored. */
  warnings: string[];
}

export class ConfigError extends StormError {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    const head = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
    super('INVALID_ARGUMENT', `The configuration has ${head}:\n  - ${faults.join('\n  - ')}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/** Throws ConfigError with every fault found. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const loader = new Loader();
  if (sources.file !== undefined) loader.addFile(sources.file.name, sources.file.text);
  if (sources.env !== undefined) loader.addEnv(sources.env);
  if (sources.flags !== undefined) loader.addFlags(sources.flags);
  return loader.finish();
}

/** The defaults with some options of a program's own. Throws ConfigError. */
export function configWith(options: PartialConfig): Config {
  const loader = new Loader();
  loader.addTree(options, { name: 'options', positionOf: () => undefined });
  return loader.finish().config;
}

const PREFIX = 'STORMKV_';
/** Read by the command line itself. */
const OTHER_ENV = new Set(['STORMKV_CONFIG', 'STORMKV_TARGET']);
/** What an orchestrator sets in every container when a service is called stormkv. */
const ORCHESTRATOR_ENV = /^STORMKV_(?:SERVICE_|PORT(?:_|$))/;

interface TreeSource {
  name: string;
  positionOf: JsonDocument['positionOf'];
}

class Loader {
  readonly #values = new Map<ConfigPath, unknown>();
  readonly #origins = new Map<ConfigPath, string>();
  readonly #wrong = new Set<ConfigPath>();
  readonly #faults: string[] = [];
  readonly #warnings: string[] = [];

  addFile(name: string, text: string): void {
    try {
      const { value, positionOf } = parseJsonText(text);
      this.addTree(value, { name, positionOf });
    } catch (error) {
      if (!(error instanceof JsonSyntaxError)) throw error;
      this.#faults.push(`${name} is not well-formed JSON: ${error.message}`);
    }
  }

  /** Sections with options; unknown ones are faults. */
  addTree(tree: unknown, source: TreeSource): void {
    if (!isObject(tree)) {
      this.#faults.push(`${source.name} must hold an object: found ${shown(tree)}`);
      return;
    }
    for (const [section, content] of Object.entries(tree)) {
      if (section === '$schema' || content === undefined) continue;
      if (!SECTIONS.has(section)) this.#addUnknown(section, source, SECTIONS);
      else if (!isObject(content)) {
        const at = placeOf(source, section);
        this.#faults.push(`${section}${at} must be an object: found ${shown(content)}`);
      } else this.#addSection(section, content, source);
    }
  }

  #addSection(section: string, content: Record<string, unknown>, source: TreeSource): void {
    for (const [name, value] of Object.entries(content)) {
      const path = `${section}.${name}`;
      if (value === undefined) continue;
      if (isPath(path)) {
        const at = placeOf(source, path);
        this.#set(path, value, at === '' ? source.name : at.slice(2, -1), at);
      } else this.#addUnknown(path, source, CONFIG_PATHS);
    }
  }

  addEnv(env: Readonly<Record<string, string | undefined>>): void {
    for (const [name, text] of Object.entries(env)) {
      // An empty variable is as good as none: scripts cannot always unset one.
      if (!name.startsWith(PREFIX) || text === undefined || text === '') continue;
      const path = PATH_OF_ENV.get(name);
      if (path !== undefined) this.#set(path, fromText(OPTION_OF[path], text), name, ` (${name})`);
      else if (!OTHER_ENV.has(name) && !ORCHESTRATOR_ENV.test(name)) this.#addUnknownEnv(name);
    }
  }

  addFlags(flags: Readonly<Partial<Record<ConfigPath, string>>>): void {
    for (const path of CONFIG_PATHS) {
      const text = flags[path];
      if (text === undefined) continue;
      const flag = OPTION_OF[path].flag ?? 'flag';
      this.#set(path, fromText(OPTION_OF[path], text), flag, ` (${flag})`);
    }
  }

  finish(): LoadedConfig {
    const tree: Record<string, Record<string, unknown>> = {};
    const origins: Partial<Record<ConfigPath, string>> = {};
    for (const path of CONFIG_PATHS) {
      const [section = '', name = ''] = path.split('.');
      tree[section] ??= {};
      const value = this.#values.has(path) ? this.#values.get(path) : OPTION_OF[path].default;
      tree[section][name] = Array.isArray(value) ? Object.freeze([...value]) : value;
      origins[path] = this.#origins.get(path) ?? 'default';
    }
    for (const section of Object.values(tree)) Object.freeze(section);
    // Sound because each path's value was checked against its row, whose type the table binds.
    const config = Object.freeze(tree) as unknown as Config;
    const faults = [...this.#faults, ...relationFaults(config, this.#wrong)];
    if (faults.length > 0) throw new ConfigError(faults);
    const complete = origins as Record<ConfigPath, string>;
    return { config, origins: complete, warnings: this.#warnings };
  }

  #set(path: ConfigPath, value: unknown, origin: string, place: string): void {
    const option = OPTION_OF[path];
    if (!isValid(option, value)) {
      this.#wrong.add(path);
      const expected = expectationOf(option);
      this.#faults.push(`${path}${place} must be ${expected}: found ${shown(value)}`);
      return;
    }
    this.#values.set(path, value);
    this.#origins.set(path, origin);
  }

  #addUnknown(path: string, source: TreeSource, known: Iterable<string>): void {
    const hint = hintOf(didYouMean(path, known));
    this.#faults.push(`${path}${placeOf(source, path)} is not an option${hint}`);
  }

  /** A near miss is a mistake; anything else may be meant for another program. */
  #addUnknownEnv(name: string): void {
    const meant = didYouMean(name, PATH_OF_ENV.keys());
    if (meant === undefined) this.#warnings.push(`${name} is no variable of stormkv: ignored`);
    else this.#faults.push(`${name} is not an option${hintOf(meant)}`);
  }
}

const SECTIONS = new Set(CONFIG_PATHS.map((path) => path.slice(0, path.indexOf('.'))));
const PATH_OF_ENV = new Map(CONFIG_PATHS.map((path) => [envNameOf(path), path]));
const SHOWN_LENGTH_MAX = 80;

function isPath(text: string): text is ConfigPath {
  return Object.hasOwn(OPTION_OF, text);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hintOf(meant: string | undefined): string {
  return meant === undefined ? '' : `: did you mean ${meant}?`;
}

/** ` (kv.config.json line 3, column 7)`; empty where the source has no text. */
function placeOf({ name, positionOf }: TreeSource, path: string): string {
  const position = positionOf(path);
  return position === undefined
    ? ''
    : ` (${name} line ${position.line}, column ${position.column})`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= SHOWN_LENGTH_MAX ? text : `${text.slice(0, SHOWN_LENGTH_MAX)}…`;
}

/** The value that a text stands for; the text itself where it stands for none of the right type. */
function fromText(option: Option, text: string): unknown {
  switch (option.type) {
    case 'integer':
      return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
    case 'number':
      return /^\d{1,15}(?:\.\d{1,15})?$/.test(text) ? Number(text) : text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'hosts':
    case 'origins':
    case 'quotas':
    case 'scopes':
      return text.split(',').map((part) => part.trim());
    default:
      return text;
  }
}
