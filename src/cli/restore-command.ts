import { resolve } from 'node:path';
import { StormError } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { systemClock } from '../base/system-clock.js';
import { type RestorePoint, restoreBackup } from '../offline/restore-backup.js';
import { listBackups, readInventory } from '../storage/backup-inventory.js';
import { nodeFileSystem } from '../storage/node-file-system.js';
import { type CommandSpec, type OptionValues, textOption } from './command.js';
import { EXIT } from './exit-codes.js';
import { numberOption, parseNumber } from './parse-number.js';
import { ProgressLine } from './progress-line.js';
import { bytes } from './stats-view.js';

const NUMBER_MAX = Number.MAX_SAFE_INTEGER;

export const restoreCommand: CommandSpec = {
  name: 'restore',
  summary: 'Make a new data dir from a backup',
  arguments: [
    { name: 'folder', help: 'the backup folder' },
    { name: 'datadir', help: 'the data dir to make; must be empty or not exist' },
  ],
  options: [
    { flags: '--id <number>', help: 'which backup (default: the newest)' },
    {
      flags: '--to-time <time>',
      help: 'go back to this time (ISO 8601, or ms since 1970), as far as the log of the backup goes',
    },
    {
      flags: '--to-seq <shard:sequence,…>',
      help: 'go back to these sequence numbers, as far as the log of the backup goes',
    },
    { flags: '--json', help: 'print the result as one JSON object' },
  ],
  examples: [
    'stormkv restore /backups/stormkv ./data',
    'stormkv restore /backups/stormkv ./data --id 3 --to-time 2026-11-23T09:30:00Z',
    'stormkv restore /backups/stormkv ./data --to-seq 0:120500,1:119877',
  ],
  run(io, [from = '', to = ''], options) {
    const dir = resolve(from);
    const dataDir = resolve(to);
    const point = pointOf(options);
    const id = numberOption(options, 'id', '--id', 1, NUMBER_MAX) ?? newest(dir);
    const inventory = readInventory(nodeFileSystem, dir, id);
    const line = new ProgressLine(io, systemClock);
    const shards = restoreBackup(
      nodeFileSystem,
      systemRandom,
      { dir, inventory },
      dataDir,
      point,
      ({ doneBytes, totalBytes }) =>
        line.show(
          () =>
            `${bytes(doneBytes)} of ${bytes(totalBytes)}${line.timeLeft(doneBytes, totalBytes)}`,
        ),
    );
    if (options['json'] === true) io.out(`${JSON.stringify({ dataDir, id, shards })}\n`);
    else {
      io.out(`Backup ${id} restored into ${dataDir}\n`);
      for (const { shard, sequence, committedMs } of shards) {
        const at = committedMs === 0 ? '' : `, of ${new Date(committedMs).toISOString()}`;
        io.out(`  shard ${shard}: through sequence ${sequence}${at}\n`);
      }
    }
    return Promise.resolve(EXIT.ok);
  },
};

function newest(dir: string): number {
  const id = listBackups(nodeFileSystem, dir).at(-1);
  if (id !== undefined) return id;
  throw new StormError('NOT_FOUND', `There is no backup in ${dir}: take one with stormkv backup`);
}

function pointOf(options: OptionValues): RestorePoint {
  const time = textOption(options, 'toTime');
  const sequences = textOption(options, 'toSeq');
  if (time !== undefined && sequences !== undefined) {
    throw new StormError('INVALID_ARGUMENT', 'Either --to-time or --to-seq, not both');
  }
  if (time !== undefined) return { timeMs: parseTime(time) };
  return sequences === undefined ? {} : { sequences: parseSequences(sequences) };
}

export function parseTime(text: string): number {
  const isDate = /^\d{4}-\d\d-\d\d/.test(text);
  const ms = /^\d+$/.test(text) ? Number(text) : isDate ? Date.parse(text) : Number.NaN;
  if (Number.isSafeInteger(ms)) return ms;
  throw new StormError(
    'INVALID_ARGUMENT',
    `--to-time must be a time such as 2026-11-23T09:30:00Z, or milliseconds since 1970: ` +
      `found ${text}`,
  );
}

/** `0:120,1:99` → shard → sequence number. */
export function parseSequences(text: string): Map<number, number> {
  const found = new Map<number, number>();
  for (const part of text.split(',')) {
    const [shard = '', sequence = '', ...rest] = part.split(':');
    if (rest.length > 0 || shard === '' || sequence === '') {
      const example = 'must look like 0:120500,1:119877';
      throw new StormError('INVALID_ARGUMENT', `--to-seq ${example}: found ${part}`);
    }
    found.set(
      parseNumber('--to-seq, shard', shard, 0, NUMBER_MAX),
      parseNumber('--to-seq, sequence', sequence, 0, NUMBER_MAX),
    );
  }
  return found;
}
