import { StormError } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { systemClock } from '../base/system-clock.js';
import { planReshard, type ReshardOptions, reshard } from '../offline/reshard.js';
import { nodeFileSystem } from '../storage/node-file-system.js';
import { type CommandIo, type CommandSpec, textOption } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { withLockedDataDir } from './locked-data-dir.js';
import { parseNumber } from './parse-number.js';
import { ProgressLine } from './progress-line.js';
import { CONFIG_FILE_FLAGS, type StorageConfig, storageConfig } from './storage-config.js';

const SHARDS_MAX = 256;

export const reshardCommand: CommandSpec = {
  name: 'reshard',
  summary: 'Rewrite the data dir of a stopped server for another number of shards',
  arguments: [{ name: 'datadir', help: 'the data dir; it must not be in use' }],
  options: [
    { flags: '--shards <number>', help: 'so many shards it has afterwards' },
    { flags: '--dry-run', help: 'say what would be done; nothing is rewritten' },
    { flags: '--yes', help: 'do it; without this nothing is rewritten either' },
    { flags: '--json', help: 'print the result as one JSON object' },
    ...CONFIG_FILE_FLAGS,
  ],
  examples: [
    'stormkv reshard ./data --shards 8 --dry-run',
    'stormkv reshard ./data --shards 8 --yes',
  ],
  async run(io, [given = ''], options) {
    const text = textOption(options, 'shards');
    if (text === undefined) throw new StormError('INVALID_ARGUMENT', 'Say how many: --shards 8');
    const shardCount = parseNumber('--shards', text, 1, SHARDS_MAX);
    const isDry = options['dryRun'] === true || options['yes'] !== true;
    const storage = storageConfig(io, options);
    return await withLockedDataDir(given, (dir) => {
      const asJson = options['json'] === true;
      const rewriting = reshardOptions(new ProgressLine(io, systemClock), shardCount, storage);
      return isDry ? plan(io, dir, rewriting, asJson) : rewrite(io, dir, rewriting, asJson);
    });
  },
};

/** How a data dir is rewritten; `line` shows how far it is. */
export function reshardOptions(
  line: ProgressLine,
  shardCount: number,
  storage: StorageConfig,
): ReshardOptions {
  return {
    shardCount,
    ...storage,
    random: systemRandom,
    nowMs: systemClock.wallMs(),
    progress(phase, done, total) {
      line.show(() => {
        const part = `${Math.floor((done * 100) / total)} %`;
        return `${phase}: ${done} of ${total} entries, ${part}${line.timeLeft(done, total)}`;
      });
    },
  };
}

function plan(io: CommandIo, dir: string, options: ReshardOptions, asJson: boolean): ExitCode {
  const { root, entries, dataBytes, freeBytes } = planReshard(nodeFileSystem, dir, options);
  const { shardCount } = options;
  const fromShards = root.shardCount;
  if (asJson) {
    const result = { dir, fromShards, toShards: shardCount, entries, dataBytes, freeBytes };
    io.out(`${JSON.stringify({ ...result, done: false })}\n`);
    return EXIT.ok;
  }
  io.out(
    `${dir}: from ${fromShards} to ${shardCount} shards, up to ${entries} entries. It needs ` +
      `about ${mebibytes(dataBytes)} beside what is there; ${mebibytes(freeBytes)} are free.\n` +
      'Nothing was rewritten. Make a backup, then run it with --yes\n',
  );
  return EXIT.ok;
}

function rewrite(io: CommandIo, dir: string, options: ReshardOptions, asJson: boolean): ExitCode {
  const begunMs = systemClock.monotonicMs();
  const result = reshard(nodeFileSystem, dir, options);
  const seconds = (systemClock.monotonicMs() - begunMs) / 1000;
  if (asJson) {
    io.out(`${JSON.stringify({ dir, ...result, seconds, done: true })}\n`);
    return EXIT.ok;
  }
  const rate = Math.round(result.entries / Math.max(seconds, 0.001));
  io.out(
    `${dir}: ${result.fromShards} shards became ${result.toShards} with ${result.entries} ` +
      `entries (${result.leftBehind} superseded, deleted or expired ones are left behind), read ` +
      `back and found the same: ${result.digest}\n` +
      `${Math.round(seconds * 10) / 10} s, ${rate} entries/s. New versions begin above ` +
      `${result.lastSequence}. Start the server without --shards, or with --shards ` +
      `${result.toShards}\n`,
  );
  return EXIT.ok;
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
