import { callServer, SERVER_OPTIONS } from './call-server.js';
import { type CommandIo, type CommandSpec, textOption } from './command.js';
import { EXIT } from './exit-codes.js';
import type { WatchedPage, WatchOptions } from './kv-client.js';
import { numberOption } from './parse-number.js';

export const watchCommand: CommandSpec = {
  name: 'watch',
  summary: 'Print changes as they happen, until it is stopped',
  arguments: [],
  options: [
    { flags: '--prefix <key>', help: 'only keys that begin so' },
    {
      flags: '--from <token>',
      help: 'go on behind this token, or "now"; left out: the content first, then the changes',
    },
    { flags: '--name <name>', help: 'the server keeps its log for this reader, up to a bound' },
    { flags: '--limit <number>', help: 'end after so many changes; 0 = never', default: '0' },
    { flags: '--json', help: 'print lines of JSON, each page with its token at the end' },
    ...SERVER_OPTIONS,
  ],
  examples: [
    'stormkv watch --from now',
    "stormkv watch --prefix '{patient-17}/' --name replica --json >> changes.ndjson",
    'stormkv watch --from "$TOKEN" --json',
  ],
  async run(io, _, options) {
    const from = textOption(options, 'from') ?? '';
    const limit = numberOption(options, 'limit', '--limit', 0, Number.MAX_SAFE_INTEGER) ?? 0;
    const request: WatchOptions = {
      prefix: Buffer.from(textOption(options, 'prefix') ?? '', 'utf8'),
      name: textOption(options, 'name') ?? '',
      ...(from === 'now' ? { fromNow: true } : { token: from }),
    };
    const print = options['json'] === true ? printJson : printText;
    let token = from === 'now' ? '' : from;
    let seen = 0;
    try {
      await callServer(io, options, async (client) => {
        for await (const page of client.watch(request)) {
          print(io, page);
          ({ token } = page);
          seen += page.changes.length;
          if (limit > 0 && seen >= limit) break;
        }
      });
    } finally {
      if (token !== '') io.say(`Go on with --from ${token}`);
    }
    return EXIT.ok;
  },
};

/** A token stands behind what it covers, so whoever stores lines in order never misses one. */
function printJson(io: CommandIo, { kind, shard, changes, token }: WatchedPage): void {
  const lines: object[] = [];
  if (kind === 'GAP' || kind === 'SNAPSHOT_END') lines.push({ kind, shard });
  for (const { key, value, version, expiresAtMs, deleted } of changes) {
    const content = deleted ? { value: null } : { value: value.toString('base64') };
    const expiry = expiresAtMs === 0 ? {} : { expires_at_ms: expiresAtMs };
    lines.push({ key, ...content, version, ...expiry, kind, shard });
  }
  lines.push({ token });
  io.out(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

function printText(io: CommandIo, { kind, shard, changes }: WatchedPage): void {
  let text = '';
  if (kind === 'GAP') text += `-- shard ${shard}: its content\n`;
  if (kind === 'SNAPSHOT_END') text += `-- shard ${shard}: changes\n`;
  for (const { key, value, version, deleted } of changes) {
    text += deleted
      ? `deleted ${key} ${version}\n`
      : `set ${key} ${version} ${value.length} bytes\n`;
  }
  if (text !== '') io.out(text);
}
