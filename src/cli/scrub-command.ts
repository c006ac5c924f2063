import { StormError } from '../base/errors.js';
import { callServer, SERVER_OPTIONS } from './call-server.js';
import type { CommandSpec } from './command.js';
import { EXIT } from './exit-codes.js';
import { bytes } from './stats-view.js';
import { waitForTask } from './task-progress.js';

export const scrubCommand: CommandSpec = {
  name: 'scrub',
  summary: 'Have a running server read all stored bytes again, in search of damage',
  arguments: [],
  options: [
    { flags: '--now', help: 'a whole pass at full speed; waits for its end' },
    { flags: '--json', help: 'print the result as one JSON object' },
    ...SERVER_OPTIONS,
  ],
  examples: ['stormkv scrub --now', 'stormkv scrub --now --target 10.0.0.2:8081 --json'],
  async run(io, _args, options) {
    if (options['now'] !== true) {
      throw new StormError(
        'INVALID_ARGUMENT',
        'Say --now for a pass at full speed; in the background the server scrubs by itself ' +
          '(scrub.bytesPerSecond, and stormkv stats shows how far)',
      );
    }
    return callServer(io, options, async (client) => {
      const { report } = await waitForTask(io, client, await client.startScrub());
      const result = JSON.parse(report) as { bytes: number; damage: string[] };
      const { damage } = result;
      if (options['json'] === true) {
        io.out(`${JSON.stringify({ ok: damage.length === 0, ...result })}\n`);
      } else {
        for (const line of damage) io.out(`damage: ${line}\n`);
        const verdict = damage.length === 0 ? 'No damage' : `${damage.length} files damaged`;
        io.out(`${verdict} in ${bytes(result.bytes)}\n`);
        if (damage.length > 0) {
          io.say('Damaged tables are out of service; see docs/BACKUP.md for what to do');
        }
      }
      return damage.length === 0 ? EXIT.ok : EXIT.corruption;
    });
  },
};
