/**
 * Checks a whole data dir without changing anything in it. Nobody else may use it meanwhile; the
 * caller holds its lock.
 */
import { shardId } from '../base/ids.js';
import { reporting } from './check-finding.js';
import { type CheckReport, checkShard } from './check-shard.js';
import { readCheckedJson } from './checked-json.js';
import { CURRENT_FILE, ROOT_FILE, shardDirName } from './file-names.js';
import type { FileSystem } from './file-system.js';
import { readRoot } from './root-manifest.js';

const SHARD_DIR = /^shard-(\d+)$/;

/** All findings go to `report`; a shard that cannot be listed is one, too. */
export function checkDataDir(fs: FileSystem, dir: string, report: CheckReport): void {
  const { found } = report;
  const path = `${dir}/${ROOT_FILE}`;
  const damage = (file: string, what: string): void =>
    found({ severity: 'damage', file, offset: 0, what });
  let isThere = true;
  const root = reporting(found, path, 0, () => {
    const read = readRoot(fs, dir);
    isThere = read !== undefined;
    return read;
  });
  const present = fs.list(dir).filter((name) => SHARD_DIR.test(name));
  if (!isThere && present.some((name) => fs.list(`${dir}/${name}`).length > 0)) {
    damage(path, `There is no ${ROOT_FILE}, but shards hold data`);
  }
  const expected = Array.from({ length: root?.shardCount ?? 0 }, (_, id) => id);
  for (const id of expected) {
    const name = shardDirName(shardId(id));
    if (present.includes(name)) continue;
    damage(`${dir}/${name}`, `The folder is missing, but ${ROOT_FILE} names it`);
  }
  for (const name of present) {
    const shard = Number(SHARD_DIR.exec(name)?.[1]);
    const shardDir = `${dir}/${name}`;
    if (root !== undefined && shard >= root.shardCount) {
      const what = `${ROOT_FILE} names only ${root.shardCount} shards`;
      const severity = fs.list(shardDir).length > 0 ? 'damage' : 'notice';
      found({ severity, file: shardDir, offset: 0, what });
      continue;
    }
    const storeUuid = root?.storeUuid ?? uuidIn(fs, shardDir);
    reporting(found, shardDir, 0, () => checkShard(fs, shardDir, { shard, storeUuid }, report));
  }
}

/** Without ROOT a shard can still be checked as what it says to be. */
function uuidIn(fs: FileSystem, shardDir: string): string {
  const current = reporting(
    () => {},
    shardDir,
    0,
    () => readCheckedJson(fs, shardDir, CURRENT_FILE),
  );
  const storeUuid = current?.['storeUuid'];
  return typeof storeUuid === 'string' ? storeUuid : '';
}
