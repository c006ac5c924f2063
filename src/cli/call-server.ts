/** What the commands that talk to a server share. */
import { StormError } from '../base/errors.js';
import { systemClock } from '../base/system-clock.js';
import type { ClientSecurity } from '../rpc/client-security.js';
import { type CommandIo, type CommandOption, type OptionValues, textOption } from './command.js';
import type { KvClient } from './kv-client.js';
import { parseNumber } from './parse-number.js';

const TARGET_DEFAULT = '127.0.0.1:8081';
const TIMEOUT_MS_DEFAULT = '5000';
const TIMEOUT_MS_MAX = 3_600_000;

export const SERVER_OPTIONS: readonly CommandOption[] = [
  {
    flags: '-t, --target <host:port>',
    help: `gRPC address of the server (default: STORMKV_TARGET, else ${TARGET_DEFAULT})`,
  },
  {
    flags: '--timeout-ms <number>',
    help: 'how long to wait for the answer',
    default: TIMEOUT_MS_DEFAULT,
  },
  {
    flags: '--ca <file>',
    help: 'TLS: the authorities (PEM) whose server certificates are good (or STORMKV_CA)',
  },
  { flags: '--cert <file>', help: 'your certificate (PEM), where the server wants one' },
  { flags: '--key <file>', help: 'the key of your certificate (PEM)' },
  {
    flags: '--token-file <file>',
    help: 'holds your token, where the server wants one (or STORMKV_TOKEN_FILE)',
  },
];

/** Who calls, and whom it trusts, as the options and the environment say. */
export function clientSecurity(io: CommandIo, options: OptionValues): ClientSecurity {
  const fileOf = (name: string, variable: string) =>
    textOption(options, name) ?? (io.env[variable] || undefined);
  const files = {
    ca: fileOf('ca', 'STORMKV_CA'),
    cert: fileOf('cert', 'STORMKV_CERT'),
    key: fileOf('key', 'STORMKV_KEY'),
    token: fileOf('tokenFile', 'STORMKV_TOKEN_FILE'),
  };
  const security: ClientSecurity = {};
  for (const name of ['ca', 'cert', 'key'] as const) {
    const path = files[name];
    if (path !== undefined) security[name] = io.readFile(path);
  }
  if (files.token !== undefined) security.token = io.readFile(files.token).toString().trim();
  return security;
}

/** Runs `body` with a connected client and closes it afterwards. */
export async function callServer<T>(
  io: CommandIo,
  options: OptionValues,
  body: (client: KvClient) => Promise<T>,
): Promise<T> {
  const target = textOption(options, 'target') ?? (io.env['STORMKV_TARGET'] || TARGET_DEFAULT);
  const timeoutText = textOption(options, 'timeoutMs') ?? TIMEOUT_MS_DEFAULT;
  const timeoutMs = parseNumber('--timeout-ms', timeoutText, 1, TIMEOUT_MS_MAX);
  // Loaded here, so that other commands and --help start without it.
  const { KvClient } = await import('./kv-client.js');
  const security = clientSecurity(io, options);
  const client = new KvClient(target, timeoutMs, systemClock.wallMs, security);
  try {
    return await body(client);
  } catch (error) {
    if (!(error instanceof StormError) || error.code !== 'UNAVAILABLE') throw error;
    const text = `${target}: ${error.message}. Is the server running? Start it: stormkv serve`;
    throw new StormError('UNAVAILABLE', text, { cause: error, outcome: error.outcome });
  } finally {
    client.close();
  }
}
