import { StormError } from '../base/errors.js';
import { systemClock } from '../base/system-clock.js';
import { DumpEncoder, type DumpEntry, type DumpFormat } from '../offline/dump-format.js';
import { storedEntries } from '../offline/stored-entries.js';
import { nodeFileSystem } from '../storage/node-file-system.js';
import { callServer, SERVER_OPTIONS } from './call-server.js';
import { type CommandIo, type CommandSpec, type OptionValues, textOption } from './command.js';
import { EXIT } from './exit-codes.js';
import { withLockedDataDir } from './locked-data-dir.js';
import { ProgressLine } from './progress-line.js';

const CHUNK_ENTRIES = 1000;
const CHUNK_BYTES = 256 * 1024;

export const dumpCommand: CommandSpec = {
  name: 'dump',
  summary: 'Write keys, values and expiries to standard output, for `stormkv load`',
  arguments: [
    {
      name: 'datadir',
      help: 'the data dir of a stopped server, only read; left out: ask the server at --target',
      isOptional: true,
    },
  ],
  options: [
    { flags: '--prefix <key>', help: 'only keys that begin so' },
    { flags: '--format <name>', help: 'ndjson or msgpack', default: 'ndjson' },
    ...SERVER_OPTIONS,
  ],
  examples: [
    'stormkv dump --target 127.0.0.1:8081 > store.ndjson',
    "stormkv dump ./data --prefix '{patient-17}/' --format msgpack > patient.msgpack",
    'stormkv dump | stormkv load --target 10.0.0.2:8081',
  ],
  async run(io, [dir], options) {
    const encoder = new DumpEncoder(formatOf(options));
    const prefix = Buffer.from(textOption(options, 'prefix') ?? '', 'utf8');
    const at = new Date(systemClock.wallMs()).toISOString();
    const progress = new ProgressLine(io, systemClock);
    io.out(encoder.header({ at, prefix: prefix.toString('base64') }));
    const take = (entries: readonly DumpEntry[]): void => {
      io.out(encoder.entriesOf(entries));
      progress.show(() => `${encoder.entries} entries dumped`);
    };
    let fresh = false;
    if (dir === undefined) fresh = await dumpServer(io, options, prefix, take);
    else await dumpDataDir(dir, prefix, take);
    io.out(encoder.trailer(fresh));
    progress.end();
    if (fresh) io.say('Some keys are of a later moment: a snapshot grew too old meanwhile');
    return EXIT.ok;
  },
};

function formatOf(options: OptionValues): DumpFormat {
  const format = textOption(options, 'format') ?? 'ndjson';
  if (format === 'ndjson' || format === 'msgpack') return format;
  throw new StormError('INVALID_ARGUMENT', `--format must be ndjson or msgpack: found ${format}`);
}

async function dumpServer(
  io: CommandIo,
  options: OptionValues,
  prefix: Uint8Array,
  take: (entries: readonly DumpEntry[]) => void,
): Promise<boolean> {
  let fresh = false;
  await callServer(io, options, async (client) => {
    // As long as it takes: the time for an answer is no bound for a whole store.
    for await (const page of client.scan({ prefix, limit: 0 }, Number.POSITIVE_INFINITY)) {
      const { entries, freshSnapshot } = page;
      fresh ||= freshSnapshot;
      take(
        entries.map(({ key, value, version, expiresAtMs = 0 }) => {
          return { key: Buffer.from(key), value, version, expiresAtMs };
        }),
      );
    }
  });
  return fresh;
}

async function dumpDataDir(
  dir: string,
  prefix: Uint8Array,
  take: (entries: readonly DumpEntry[]) => void,
): Promise<void> {
  await withLockedDataDir(dir, (path) => {
    let chunk: DumpEntry[] = [];
    let bytes = 0;
    for (const e of storedEntries(nodeFileSystem, path, { prefix, nowMs: systemClock.wallMs() })) {
      const key = Buffer.from(e.keyBytes.subarray(e.keyStart, e.keyStart + e.keyLength));
      const value = Buffer.from(e.valueBytes.subarray(e.valueStart, e.valueStart + e.valueLength));
      chunk.push({ key, value, version: e.sequence, expiresAtMs: e.expiresAtMs });
      bytes += key.length + value.length;
      if (chunk.length < CHUNK_ENTRIES && bytes < CHUNK_BYTES) continue;
      take(chunk);
      chunk = [];
      bytes = 0;
    }
    take(chunk);
  });
}
