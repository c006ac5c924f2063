/** The configuration of `stormkv serve`: which file, and flags, environment and file together. */
import type { ConfigPath } from '../config/config.js';
import { type LoadedConfig, loadConfig } from '../config/load-config.js';
import { CONFIG_PATHS, OPTION_OF } from '../config/option-table.js';
import { type CommandOption, type OptionValues, textOption } from './command.js';

export const CONFIG_FILE_DEFAULT = 'kv.config.json';

export interface ConfigFiles {
  read(path: string): Buffer;
  /** Undefined when there is no such file. */
  readIfAny(path: string): Buffer | undefined;
}

const HINTS: Partial<Record<ConfigPath, string>> = {
  'grpc.address': 'host:port',
  'http.address': 'host:port',
  'data.dir': 'path',
  'shards.count': 'number',
};
const FLAG_PATHS = CONFIG_PATHS.filter((path) => OPTION_OF[path].flag !== undefined);

/** The flags that the option table names. */
export const CONFIG_FLAGS: readonly CommandOption[] = [
  {
    flags: '-c, --config <file>',
    help: `configuration (default: STORMKV_CONFIG, else ./${CONFIG_FILE_DEFAULT} if it exists)`,
  },
  ...FLAG_PATHS.map((path) => {
    const { flag, help, default: value } = OPTION_OF[path];
    const hint = `${help.slice(0, 1).toLowerCase()}${help.slice(1, -1)} (${path}, ${value})`;
    return { flags: `${flag} <${HINTS[path] ?? 'value'}>`, help: hint };
  }),
];

/** Throws a ConfigError that lists all faults. */
export function serveConfig(
  options: OptionValues,
  env: Readonly<Record<string, string | undefined>>,
  files: ConfigFiles,
): LoadedConfig {
  const flags: Partial<Record<ConfigPath, string>> = {};
  for (const path of FLAG_PATHS) {
    const text = textOption(options, camelCase(OPTION_OF[path].flag ?? ''));
    if (text !== undefined) flags[path] = text;
  }
  const file = configFile(
    textOption(options, 'config') ?? (env['STORMKV_CONFIG'] || undefined),
    files,
  );
  return loadConfig(file === undefined ? { env, flags } : { file, env, flags });
}

function configFile(named: string | undefined, files: ConfigFiles) {
  const name = named ?? CONFIG_FILE_DEFAULT;
  const content = named === undefined ? files.readIfAny(name) : files.read(name);
  return content === undefined ? undefined : { name, text: content.toString('utf8') };
}

/** `--data-dir` → `dataDir`, as the parser of command lines names it. */
function camelCase(flag: string): string {
  return flag
    .replace(/^--/, '')
    .replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
