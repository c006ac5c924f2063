import { resolve } from 'node:path';
import { StormError } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { systemClock } from '../base/system-clock.js';
import { readDataDirStats, type StoredShard } from '../storage/data-dir-stats.js';
import { nodeFileSystem } from '../storage/node-file-system.js';
import { DataDirLock } from '../supervisor/data-dir-lock.js';
import { systemTimers } from '../supervisor/timers.js';
import { callServer, SERVER_OPTIONS } from './call-server.js';
import { type CommandIo, type CommandSpec, type OptionValues, textOption } from './command.js';
import { EXIT } from './exit-codes.js';
import type { KvClient } from './kv-client.js';
import { numberOption, parseNumber } from './parse-number.js';
import { bytes, type Earlier, statsText, whole } from './stats-view.js';
import { textTable } from './text-table.js';

const WATCH_SECONDS_DEFAULT = 2;
const WATCH_SECONDS_MAX = 3600;
const CLEAR_SCREEN = '\x1b[2J\x1b[H';

export const statsCommand: CommandSpec = {
  name: 'stats',
  summary: 'Show what a server does, shard by shard, or what a data dir holds',
  arguments: [
    { name: 'datadir', help: 'of a stopped server, in place of --target', isOptional: true },
  ],
  options: [
    { flags: '--json', help: 'print one JSON object, a line for each look' },
    {
      flags: '--watch [seconds]',
      help: `look again and again, and show rates (every ${WATCH_SECONDS_DEFAULT} s)`,
    },
    { flags: '--count <number>', help: 'with --watch: so many looks' },
    ...SERVER_OPTIONS,
  ],
  examples: ['stormkv stats', 'stormkv stats --watch 5', 'stormkv stats ./data --json'],
  async run(io, [dataDir], options) {
    const looks = looksOf(options);
    if (dataDir === undefined) {
      await callServer(io, options, (client) => watch(io, client, looks));
      return EXIT.ok;
    }
    if (options['watch'] !== undefined) {
      throw new StormError(
        'INVALID_ARGUMENT',
        '--watch needs a server: a stopped one stands still',
      );
    }
    await showDataDir(io, resolve(dataDir), looks.asJson);
    return EXIT.ok;
  },
};

interface Looks {
  asJson: boolean;
  /** Undefined = once. */
  everyMs: number | undefined;
  count: number;
}

function looksOf(options: OptionValues): Looks {
  const asJson = options['json'] === true;
  const count = numberOption(options, 'count', '--count', 1, Number.MAX_SAFE_INTEGER);
  if (options['watch'] === undefined) {
    if (count === undefined) return { asJson, everyMs: undefined, count: 1 };
    throw new StormError('INVALID_ARGUMENT', '--count goes with --watch');
  }
  const text = textOption(options, 'watch') ?? String(WATCH_SECONDS_DEFAULT);
  const everyMs = parseNumber('--watch', text, 1, WATCH_SECONDS_MAX) * 1000;
  return { asJson, everyMs, count: count ?? Number.POSITIVE_INFINITY };
}

async function watch(
  io: CommandIo,
  client: KvClient,
  { asJson, everyMs, count }: Looks,
): Promise<void> {
  let last: { stats: Earlier['stats']; atMs: number } | undefined;
  for (let look = 1; look <= count; look++) {
    try {
      const stats = await client.stats();
      const atMs = systemClock.monotonicMs();
      const earlier = last && { stats: last.stats, elapsedMs: atMs - last.atMs };
      const again = last === undefined ? '' : '\n';
      const lead = everyMs !== undefined && io.outIsTerminal ? CLEAR_SCREEN : again;
      io.out(asJson ? `${JSON.stringify(stats)}\n` : `${lead}${statsText(stats, earlier)}`);
      last = { stats, atMs };
    } catch (error) {
      // Who watches a server wants to see it come back.
      if (last === undefined || !(error instanceof StormError)) throw error;
      io.say(`${error.message}; looking again`);
    }
    if (everyMs !== undefined && look < count) await pause(everyMs);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => {
    systemTimers.after(ms, done);
  });
}

async function showDataDir(io: CommandIo, dir: string, asJson: boolean): Promise<void> {
  if (nodeFileSystem.stat(dir)?.kind !== 'directory') {
    throw new StormError('INVALID_ARGUMENT', `There is no data dir ${dir}`);
  }
  const env = { clock: systemClock, random: systemRandom, timers: systemTimers };
  const lock = await DataDirLock.acquire(dir, env);
  try {
    const shards = readDataDirStats(nodeFileSystem, dir);
    io.out(asJson ? `${JSON.stringify({ dir, shards })}\n` : `${storedText(shards)}\n`);
  } finally {
    await lock.release();
  }
}

const HEADS = ['shard', 'tables', 'runs', 'entries', 'deleted', 'in tables', 'log', 'on disk'];

function storedText(shards: readonly StoredShard[]): string {
  const rows = shards.map((one) => [
    String(one.shard),
    whole(one.tables),
    whole(one.sortedRuns),
    whole(one.tableEntries),
    whole(one.tombstones),
    bytes(one.tableBytes),
    `${bytes(one.walBytes)} in ${whole(one.walFiles)}`,
    bytes(one.fileBytes),
  ]);
  return textTable([HEADS, ...rows], ['left', ...HEADS.slice(1).map(() => 'right' as const)]);
}
