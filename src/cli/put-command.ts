import { TTL_MS_MAX } from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
import { callServer, SERVER_OPTIONS } from './call-server.js';
import { type CommandIo, type CommandSpec, type OptionValues, textOption } from './command.js';
import { EXIT } from './exit-codes.js';
import type { SetExtras } from './kv-client.js';
import { numberOption } from './parse-number.js';

export const putCommand: CommandSpec = {
  name: 'put',
  summary: 'Store a value under a key; returns when it is durable',
  arguments: [
    { name: 'key', help: 'the key, UTF-8' },
    { name: 'value', help: 'the value; - reads it from stdin', isOptional: true },
  ],
  options: [
    { flags: '-f, --file <path>', help: 'take the value from a file, byte for byte' },
    { flags: '--ttl-ms <number>', help: 'the value expires after so many milliseconds' },
    { flags: '--if-absent', help: 'only if the key has no value' },
    { flags: '--if-version <number>', help: 'only if the key has this version (see get --json)' },
    ...SERVER_OPTIONS,
  ],
  examples: [
    "stormkv put '{patient-17}/visit-1/q3' 4",
    'date | stormkv put started -',
    'stormkv put logo --file logo.png --target 127.0.0.1:9000',
    'stormkv put session-9 open --ttl-ms 60000 --if-absent',
  ],
  async run(io, [key = '', valueText], options) {
    const value = await readValue(io, valueText, options);
    const extras = extrasOf(options);
    await callServer(io, options, (client) => client.set(key, value, extras));
    return EXIT.ok;
  },
};

function extrasOf(options: OptionValues): SetExtras {
  const extras: SetExtras = {};
  const ttlMs = numberOption(options, 'ttlMs', '--ttl-ms', 1, TTL_MS_MAX);
  const ifVersion = numberOption(options, 'ifVersion', '--if-version', 1, Number.MAX_SAFE_INTEGER);
  if (ttlMs !== undefined) extras.ttlMs = ttlMs;
  if (ifVersion !== undefined) extras.ifVersion = ifVersion;
  if (options['ifAbsent'] === true) extras.ifAbsent = true;
  return extras;
}

async function readValue(
  io: CommandIo,
  text: string | undefined,
  options: OptionValues,
): Promise<Uint8Array> {
  const path = textOption(options, 'file');
  if ((text === undefined) === (path === undefined)) {
    const what = 'Give the value either as an argument (- for stdin) or with --file';
    throw new StormError('INVALID_ARGUMENT', what);
  }
  if (path !== undefined) return io.readFile(path);
  return text === '-' ? io.readInput() : Buffer.from(text ?? '', 'utf8');
}
