import { resolve, sep } from 'node:path';
import { StormError } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { systemClock } from '../base/system-clock.js';
import { type LostRange, type SalvageReport, salvage } from '../offline/salvage.js';
import { nodeFileSystem } from '../storage/node-file-system.js';
import { LOCK_FILE } from '../supervisor/data-dir-lock.js';
import { askOwner } from '../supervisor/owner-socket.js';
import type { CommandIo, CommandSpec } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { ProgressLine } from './progress-line.js';
import { CONFIG_FILE_FLAGS, storageConfig } from './storage-config.js';

export const salvageCommand: CommandSpec = {
  name: 'salvage',
  summary: 'Copy what is intact out of a damaged data dir, and list what is lost',
  arguments: [
    { name: 'src', help: 'the damaged data dir of a stopped server; only read' },
    { name: 'dst', help: 'the data dir to make; must be empty or not exist' },
  ],
  options: [
    { flags: '--accept-loss', help: 'write DST; without it there is only the list' },
    { flags: '--json', help: 'print the result as one JSON object' },
    ...CONFIG_FILE_FLAGS,
  ],
  examples: [
    'stormkv salvage ./data ./data-salvaged',
    'stormkv salvage ./data ./data-salvaged --accept-loss --json > lost.json',
  ],
  async run(io, [from = '', to = ''], options) {
    const src = resolve(from);
    const dst = resolve(to);
    const storage = storageConfig(io, options);
    await refuseUse(src, dst);
    const line = new ProgressLine(io, systemClock);
    const isAccepted = options['acceptLoss'] === true;
    const report = salvage(nodeFileSystem, src, isAccepted ? dst : undefined, {
      random: systemRandom,
      ...storage,
      progress: (file) => line.show(() => `reading ${file}`),
    });
    if (options['json'] === true) io.out(`${jsonOf(report, isAccepted)}\n`);
    else print(io, report, isAccepted ? dst : undefined);
    return exitOf(report, isAccepted);
  },
};

function exitOf({ lost }: SalvageReport, isAccepted: boolean): ExitCode {
  return lost.length === 0 || isAccepted ? EXIT.ok : EXIT.corruption;
}

async function refuseUse(src: string, dst: string): Promise<void> {
  const inner = `${dst}${sep}`;
  if (inner.startsWith(`${src}${sep}`)) {
    throw new StormError('INVALID_ARGUMENT', 'DST must not lie in SRC, which is only read');
  }
  if (nodeFileSystem.stat(src)?.kind !== 'directory') {
    throw new StormError('INVALID_ARGUMENT', `There is no data dir ${src}`);
  }
  const lock = `${src}/${LOCK_FILE}`;
  if (nodeFileSystem.stat(lock) === undefined || (await askOwner(lock)).kind !== 'alive') return;
  throw new StormError('FAILED_PRECONDITION', `A server uses ${src}: stop it first`);
}

function print(io: CommandIo, report: SalvageReport, dst: string | undefined): void {
  for (const range of report.lost) io.out(`lost: ${rangeText(range)}\n`);
  const { lost, entries, doubtful } = report;
  io.out(`${lost.length} ranges lost; ${entries} keys can be read`);
  io.out(doubtful === 0 ? '\n' : `, ${doubtful} of them perhaps not in their last version\n`);
  if (dst !== undefined) io.out(`Written to ${dst}\n`);
  else io.say('Nothing was written: say --accept-loss to copy what can be read');
}

function rangeText({ shard, file, what, keys, sequences }: LostRange): string {
  const parts = [`shard ${shard}`];
  if (keys !== undefined) parts.push(`keys ${keyText(keys.from)} to ${keyText(keys.to)}`);
  if (sequences !== undefined) {
    const end = Number.isFinite(sequences.to) ? String(sequences.to) : 'the end, if there was more';
    parts.push(`sequences ${sequences.from} to ${end}`);
  }
  return `${parts.join(', ')}: ${what} (${file})`;
}

function keyText(key: Uint8Array | undefined): string {
  return key === undefined ? '(unknown)' : JSON.stringify(Buffer.from(key).toString('utf8'));
}

/** Keys in base64; null for what is not known. */
function jsonOf({ lost, ...rest }: SalvageReport, isWritten: boolean): string {
  const base64 = (key: Uint8Array | undefined) =>
    key === undefined ? null : Buffer.from(key).toString('base64');
  const ranges = lost.map(({ keys, ...range }) =>
    keys === undefined
      ? range
      : { ...range, keys: { from: base64(keys.from), to: base64(keys.to) } },
  );
  return JSON.stringify({ ok: lost.length === 0, isWritten, ...rest, lost: ranges });
}
