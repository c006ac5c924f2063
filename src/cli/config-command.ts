/** What `stormkv serve` would run with here, and where each value comes from. */
import { availableParallelism } from 'node:os';
import { messageOf, StormError } from '../base/errors.js';
import { type Config, type ConfigPath, shardCountFor } from '../config/config.js';
import { ConfigError, type LoadedConfig } from '../config/load-config.js';
import { planMemory } from '../config/memory-plan.js';
import { CONFIG_PATHS, OPTION_OF } from '../config/option-table.js';
import type { CommandIo, CommandSpec, OptionValues } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { readLocalFileIfAny } from './local-files.js';
import { CONFIG_FLAGS, serveConfig } from './serve-config.js';
import { textTable } from './text-table.js';

export const configCommand: CommandSpec = {
  name: 'config',
  summary: 'Print what the server would run with here (print), or list all faults of it (check)',
  arguments: [
    { name: 'print|check', help: 'what to do' },
    { name: 'file', help: 'configuration file, as --config', isOptional: true },
  ],
  options: [
    ...CONFIG_FLAGS,
    { flags: '--effective', help: 'print: all options, also those at their defaults' },
    { flags: '--show-origin', help: 'print: say where each value comes from' },
    { flags: '--json', help: 'print a JSON document' },
  ],
  examples: [
    'stormkv config print --effective --show-origin',
    'STORMKV_WAL_SYNC=os stormkv config print --show-origin --json',
    'stormkv config check /etc/stormkv/kv.config.json',
  ],
  async run(io, [action = '', file], options) {
    const given = file === undefined ? options : { ...options, config: file };
    if (action === 'check') return check(io, given);
    if (action === 'print') return print(io, given);
    throw new StormError('INVALID_ARGUMENT', `config can print and check, not ${action}`);
  },
};

function load(io: CommandIo, options: OptionValues): LoadedConfig {
  return serveConfig(options, io.env, { read: io.readFile, readIfAny: readLocalFileIfAny });
}

function print(io: CommandIo, options: OptionValues): ExitCode {
  const { config, origins, warnings } = load(io, options);
  for (const warning of warnings) io.say(`Warning: ${warning}`);
  const isEffective = options['effective'] === true;
  const paths = CONFIG_PATHS.filter((path) => isEffective || origins[path] !== 'default');
  const hasOrigin = options['showOrigin'] === true;
  if (options['json'] === true) {
    const rows = paths.map((option) => {
      const value = optionValue(config, option);
      return hasOrigin ? { option, value, origin: originOf(origins[option]) } : { option, value };
    });
    io.out(`${JSON.stringify(rows, undefined, 2)}\n`);
    return EXIT.ok;
  }
  if (paths.length === 0) io.say('Every option has its default; --effective lists them');
  const rows = paths.map((path) => {
    const cells = [path, JSON.stringify(optionValue(config, path))];
    return hasOrigin ? [...cells, originText(origins[path])] : cells;
  });
  if (rows.length > 0) io.out(`${textTable(rows)}\n`);
  return EXIT.ok;
}

function check(io: CommandIo, options: OptionValues): ExitCode {
  const { faults, warnings } = judge(io, options);
  if (options['json'] === true) {
    io.out(`${JSON.stringify({ ok: faults.length === 0, faults, warnings }, undefined, 2)}\n`);
  } else {
    for (const warning of warnings) io.say(`Warning: ${warning}`);
    for (const fault of faults) io.out(`${fault}\n`);
    const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
    io.say(faults.length === 0 ? 'The configuration is good' : `The configuration has ${count}`);
  }
  return faults.length === 0 ? EXIT.ok : EXIT.usage;
}

function judge(io: CommandIo, options: OptionValues) {
  let loaded: LoadedConfig;
  try {
    loaded = load(io, options);
  } catch (error) {
    if (error instanceof ConfigError) return { faults: error.faults, warnings: [] };
    throw error;
  }
  const { config, warnings } = loaded;
  try {
    planMemory(config, shardCountFor(config, availableParallelism()), config.router.threads);
  } catch (error) {
    return { faults: [messageOf(error)], warnings };
  }
  return { faults: [], warnings };
}

function optionValue(config: Config, path: ConfigPath): unknown {
  const [section = '', name = ''] = path.split('.');
  return (config as unknown as Record<string, Record<string, unknown>>)[section]?.[name];
}

interface Origin {
  kind: 'flag' | 'environment' | 'file' | 'default';
  /** The flag, the variable, or the place in the file. */
  name?: string;
}

function originOf(origin: string): Origin {
  if (origin === 'default') return { kind: 'default' };
  if (FLAGS.has(origin)) return { kind: 'flag', name: origin };
  if (/^STORMKV_[A-Z0-9_]+$/.test(origin)) return { kind: 'environment', name: origin };
  return { kind: 'file', name: origin };
}

const FLAGS = new Set(CONFIG_PATHS.map((path) => OPTION_OF[path].flag));

function originText(origin: string): string {
  const { kind, name } = originOf(origin);
  return name === undefined ? kind : `${kind} ${name}`;
}
