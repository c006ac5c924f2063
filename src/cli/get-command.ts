import { isUtf8 } from 'node:buffer';
import { callServer, SERVER_OPTIONS } from './call-server.js';
import type { CommandIo, CommandSpec } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';

export const getCommand: CommandSpec = {
  name: 'get',
  summary: 'Print the value of a key, byte for byte',
  arguments: [{ name: 'key', help: 'the key, UTF-8' }],
  options: [
    {
      flags: '--json',
      help: 'print {"key", "found", "version", "value"}; bytes that are not UTF-8 as "valueBase64"',
    },
    ...SERVER_OPTIONS,
  ],
  examples: [
    "stormkv get '{patient-17}/visit-1/q3'",
    'stormkv get logo > logo.png',
    'stormkv get started --json',
  ],
  async run(io, [key = ''], options) {
    if (options['json'] === true) {
      const found = await callServer(io, options, (client) => client.getVersioned(key));
      return printJson(io, key, found);
    }
    const value = await callServer(io, options, (client) => client.get(key));
    return printRaw(io, key, value);
  },
};

function printRaw(io: CommandIo, key: string, value: Buffer | undefined): ExitCode {
  if (value === undefined) {
    io.say(`No value under ${JSON.stringify(key)}`);
    return EXIT.notFound;
  }
  io.out(value);
  // A prompt should not stand behind the value; a program gets nothing but the value.
  if (io.outIsTerminal) io.out('\n');
  return EXIT.ok;
}

function printJson(
  io: CommandIo,
  key: string,
  result: { value: Buffer; version: number } | undefined,
): ExitCode {
  if (result === undefined) {
    io.out(`${JSON.stringify({ key, found: false })}\n`);
    return EXIT.notFound;
  }
  const { value, version } = result;
  const content = isUtf8(value)
    ? { value: value.toString('utf8') }
    : { valueBase64: value.toString('base64') };
  io.out(`${JSON.stringify({ key, found: true, version, ...content })}\n`);
  return EXIT.ok;
}
