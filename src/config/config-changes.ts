/** What differs between the configuration of a running server and the one it has read again. */
import type { Config, ConfigPath } from './config.js';
import { CONFIG_PATHS, OPTION_OF } from './option-table.js';

export interface ConfigChanges {
  /** Can take effect at once. */
  applied: ConfigPath[];
  /** Take effect with the next start. */
  needRestart: ConfigPath[];
}

export function configChanges(before: Config, after: Config): ConfigChanges {
  const changes: ConfigChanges = { applied: [], needRestart: [] };
  for (const path of CONFIG_PATHS) {
    if (JSON.stringify(valueAt(before, path)) === JSON.stringify(valueAt(after, path))) continue;
    (OPTION_OF[path].reloads === true ? changes.applied : changes.needRestart).push(path);
  }
  return changes;
}

function valueAt(config: Config, path: ConfigPath): unknown {
  const [section = '', name = ''] = path.split('.');
  const tree = config as unknown as Record<string, Record<string, unknown>>;
  return tree[section]?.[name];
}
