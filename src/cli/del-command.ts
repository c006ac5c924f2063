import { StormError } from '../base/errors.js';
import { callServer, SERVER_OPTIONS } from './call-server.js';
import { type CommandIo, type CommandSpec, type OptionValues, textOption } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { numberOption } from './parse-number.js';

export const delCommand: CommandSpec = {
  name: 'del',
  summary: 'Remove the value of a key, or of all keys with a prefix',
  arguments: [{ name: 'key', help: 'the key, UTF-8; no error when it has none', isOptional: true }],
  options: [
    { flags: '--if-version <number>', help: 'only if the key has this version (see get --json)' },
    { flags: '--prefix <text>', help: 'remove all keys that begin so, instead of one' },
    { flags: '--dry-run', help: 'with --prefix: only count them' },
    { flags: '--yes', help: 'with --prefix: do it without having counted first' },
    ...SERVER_OPTIONS,
  ],
  examples: [
    "stormkv del '{patient-17}/visit-1/q3'",
    "stormkv del --prefix '{patient-17}/' --dry-run",
    "stormkv del --prefix '{patient-17}/' --yes",
  ],
  async run(io, [key], options) {
    const prefix = textOption(options, 'prefix');
    if ((key === undefined) === (prefix === undefined)) {
      throw new StormError('INVALID_ARGUMENT', 'Give either a key or --prefix');
    }
    if (prefix !== undefined) return deletePrefix(io, prefix, options);
    if (options['dryRun'] === true || options['yes'] === true) {
      throw new StormError('INVALID_ARGUMENT', '--dry-run and --yes go with --prefix');
    }
    const max = Number.MAX_SAFE_INTEGER;
    const ifVersion = numberOption(options, 'ifVersion', '--if-version', 1, max) ?? 0;
    await callServer(io, options, (client) => client.delete(key ?? '', ifVersion));
    return EXIT.ok;
  },
};

async function deletePrefix(
  io: CommandIo,
  prefix: string,
  options: OptionValues,
): Promise<ExitCode> {
  if (options['ifVersion'] !== undefined) {
    throw new StormError('INVALID_ARGUMENT', '--if-version goes with one key, not with --prefix');
  }
  const isCount = options['dryRun'] === true || options['yes'] !== true;
  const bytes = Buffer.from(prefix, 'utf8');
  const count = await callServer(io, options, (client) => client.deletePrefix(bytes, isCount));
  io.out(`${count}\n`);
  if (options['dryRun'] === true || options['yes'] === true) return EXIT.ok;
  io.say(`${count} keys begin with ${JSON.stringify(prefix)}; to remove them, add --yes`);
  return EXIT.usage;
}
