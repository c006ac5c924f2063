import { StormError } from '../base/errors.js';
import { systemClock } from '../base/system-clock.js';
import { reshard } from '../offline/reshard.js';
import { rootOf, storedEntries } from '../offline/stored-entries.js';
import { nodeFileSystem } from '../storage/node-file-system.js';
import { finishReshard } from '../storage/reshard-switch.js';
import { type CommandSpec, textOption } from './command.js';
import { EXIT } from './exit-codes.js';
import { withLockedDataDir } from './locked-data-dir.js';
import { ProgressLine } from './progress-line.js';
import { reshardOptions } from './reshard-command.js';
import { CONFIG_FILE_FLAGS, storageConfig } from './storage-config.js';

export const compactCommand: CommandSpec = {
  name: 'compact',
  summary: 'Rewrite the data dir of a stopped server, so that nothing deleted is left in its files',
  arguments: [{ name: 'datadir', help: 'the data dir; it must not be in use' }],
  options: [
    {
      flags: '--purge-prefix <key>',
      help: 'refuse unless every key that begins so is deleted, so that what they held is gone',
    },
    { flags: '--yes', help: 'do it; without this nothing is rewritten' },
    { flags: '--json', help: 'print the result as one JSON object' },
    ...CONFIG_FILE_FLAGS,
  ],
  examples: ["stormkv compact ./data --purge-prefix '{patient-17}/' --yes"],
  async run(io, [given = ''], options) {
    const prefix = textOption(options, 'purgePrefix');
    const storage = storageConfig(io, options);
    return await withLockedDataDir(given, (dir) => {
      finishReshard(nodeFileSystem, dir);
      const { shardCount } = rootOf(nodeFileSystem, dir);
      if (prefix !== undefined) refuseIfAlive(dir, prefix);
      if (options['yes'] !== true) {
        io.out(`${dir}: nothing was rewritten. Make a backup, then run it with --yes\n`);
        return EXIT.ok;
      }
      const line = new ProgressLine(io, systemClock);
      const result = reshard(nodeFileSystem, dir, reshardOptions(line, shardCount, storage));
      const { entries, leftBehind, digest } = result;
      if (options['json'] === true) {
        io.out(`${JSON.stringify({ dir, entries, leftBehind, digest })}\n`);
      } else {
        io.out(
          `${dir}: rewritten with ${entries} entries; ${leftBehind} that were superseded, ` +
            'deleted or expired are in none of its files any more. Backups and the free space of ' +
            'the disk may still hold them: docs/GUARANTEES.md\n',
        );
      }
      return EXIT.ok;
    });
  },
};

function refuseIfAlive(dir: string, prefix: string): void {
  const what = { prefix: Buffer.from(prefix, 'utf8'), nowMs: systemClock.wallMs() };
  for (const { keyLength } of storedEntries(nodeFileSystem, dir, what)) {
    throw new StormError(
      'FAILED_PRECONDITION',
      `Keys that begin with ${JSON.stringify(prefix)} are not deleted, one of ${keyLength} ` +
        'bytes for example: delete them in the running server first, then stop it and run this ' +
        'again',
    );
  }
}
