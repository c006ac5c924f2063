import { entryLine } from '../rpc/json-lines.js';
import { callServer, SERVER_OPTIONS } from './call-server.js';
import { type CommandIo, type CommandSpec, type OptionValues, textOption } from './command.js';
import { EXIT } from './exit-codes.js';
import type { ScannedPage, ScanOptions } from './kv-client.js';
import { numberOption } from './parse-number.js';

export const scanCommand: CommandSpec = {
  name: 'scan',
  summary: 'Print keys and values in the order of keys, as lines of JSON',
  arguments: [{ name: 'prefix', help: 'only keys that begin so', isOptional: true }],
  options: [
    { flags: '--from <key>', help: 'from this key on' },
    { flags: '--to <key>', help: 'up to this key, without it' },
    { flags: '--reverse', help: 'from the last key to the first' },
    { flags: '--limit <number>', help: 'so many keys at most; 0 = all', default: '1000' },
    { flags: '--cursor <text>', help: 'go on where an earlier scan ended' },
    { flags: '--keys-only', help: 'print bare keys, one per line' },
    ...SERVER_OPTIONS,
  ],
  examples: [
    "stormkv scan '{patient-17}/'",
    'stormkv scan --from a --to b --limit 0 --keys-only',
    'stormkv scan --reverse --limit 1',
  ],
  async run(io, [prefix], options) {
    const request = requestOf(prefix, options);
    await callServer(io, options, async (client) => {
      let cursor = '';
      for await (const page of client.scan(request)) {
        printPage(io, page, request.keysOnly === true);
        ({ cursor } = page);
      }
      if (cursor !== '') io.say(`There is more: --cursor ${cursor}`);
    });
    return EXIT.ok;
  },
};

function requestOf(prefix: string | undefined, options: OptionValues): ScanOptions {
  const request: ScanOptions = {
    reverse: options['reverse'] === true,
    keysOnly: options['keysOnly'] === true,
    limit: numberOption(options, 'limit', '--limit', 0, Number.MAX_SAFE_INTEGER) ?? 0,
    cursor: textOption(options, 'cursor') ?? '',
  };
  const from = textOption(options, 'from');
  const to = textOption(options, 'to');
  if (prefix !== undefined) request.prefix = Buffer.from(prefix, 'utf8');
  if (from !== undefined) request.from = Buffer.from(from, 'utf8');
  if (to !== undefined) request.to = Buffer.from(to, 'utf8');
  return request;
}

function printPage(
  io: CommandIo,
  { entries, freshSnapshot }: ScannedPage,
  keysOnly: boolean,
): void {
  if (freshSnapshot) io.say('Some keys are of a later moment: a snapshot had been closed');
  let text = '';
  for (const entry of entries) {
    const { key } = entry;
    text += keysOnly ? `${key}\n` : entryLine({ ...entry, key: Buffer.from(key) }, true);
  }
  io.out(text);
}
