/** The part of the server's configuration that commands which rewrite a data dir go by. */
import type { TableOptions } from '../base/table-meta.js';
import type { CommandIo, CommandOption, OptionValues } from './command.js';
import { readLocalFileIfAny } from './local-files.js';
import { CONFIG_FLAGS, serveConfig } from './serve-config.js';

export interface StorageConfig {
  table: TableOptions;
  walSegmentBytes: number;
}

/** `--config`, as `stormkv serve` has it. */
export const CONFIG_FILE_FLAGS: readonly CommandOption[] = CONFIG_FLAGS.filter(({ flags }) =>
  flags.includes('--config'),
);

/** What `stormkv serve` would write tables and logs with here: file, environment, defaults. */
export function storageConfig(io: CommandIo, options: OptionValues): StorageConfig {
  const { config: file } = options;
  const named: OptionValues = file === undefined ? {} : { config: file };
  const files = { read: io.readFile, readIfAny: readLocalFileIfAny };
  const { config, warnings } = serveConfig(named, io.env, files);
  for (const warning of warnings) io.say(`Warning: ${warning}`);
  const { table, wal } = config;
  const { bytesMax: tableBytesMax, ...others } = table;
  return { table: { ...others, tableBytesMax }, walSegmentBytes: wal.segmentBytes };
}
