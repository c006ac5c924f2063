#!/usr/bin/env node
/** The entry of the command line: the process's own arguments, streams and exit code. */
import { isUtf8 } from 'node:buffer';
import { systemCodeOf } from '../base/errors.js';
import { backupCommand } from './backup-command.js';
import { chaosCommand } from './chaos-command.js';
import { checkCommand } from './check-command.js';
import type { CommandIo } from './command.js';
import { compactCommand } from './compact-command.js';
import { configCommand } from './config-command.js';
import { delCommand } from './del-command.js';
import { demoCommand } from './demo-command.js';
import { dumpCommand } from './dump-command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { expireCommand } from './expire-command.js';
import { getCommand } from './get-command.js';
import { healthCommand } from './health-command.js';
import { inspectCommand } from './inspect-command.js';
import { loadCommand } from './load-command.js';
import { readLocalFile, readLocalFileIfAny } from './local-files.js';
import { runProgram } from './program.js';
import { putCommand } from './put-command.js';
import { reloadCommand } from './reload-command.js';
import { reshardCommand } from './reshard-command.js';
import { restoreCommand } from './restore-command.js';
import { salvageCommand } from './salvage-command.js';
import { scanCommand } from './scan-command.js';
import { scrubCommand } from './scrub-command.js';
import { serveCommand } from './serve-command.js';
import { statsCommand } from './stats-command.js';
import { stormCommand } from './storm-command.js';
import { tokenCommand } from './token-command.js';
import { ttlCommand } from './ttl-command.js';
import { packageVersion } from './version.js';
import { watchCommand } from './watch-command.js';

const io: CommandIo = {
  out: (data) => void process.stdout.write(data),
  say: (message) => void process.stderr.write(`${message}\n`),
  outIsTerminal: process.stdout.isTTY === true,
  errIsTerminal: process.stderr.isTTY === true,
  env: process.env,
  async readInput() {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
  },
  streamInput: () => process.stdin,
  readFile: readLocalFile,
};

process.stdout.on('error', (error) => {
  // The reader of a pipe has seen enough (`| head`).
  process.exit(systemCodeOf(error) === 'EPIPE' ? EXIT.ok : EXIT.failure);
});
const exitCode = await main(process.argv.slice(2));
// What was written to a pipe may still be on its way; a handle left open must not keep us here.
process.stdout.write('', () => process.exit(exitCode));

async function main(args: readonly string[]): Promise<ExitCode> {
  if (areArgumentsDamaged(args)) {
    io.say('stormkv: the arguments must be valid UTF-8 (check the locale of the terminal)');
    return EXIT.usage;
  }
  const program = {
    name: 'stormkv',
    summary: 'A durable, sharded key-value store for write storms',
    version: packageVersion(),
    examples: [
      'stormkv serve --data-dir ./data',
      "stormkv put '{patient-17}/visit-1/q3' 4",
      "stormkv get '{patient-17}/visit-1/q3'",
      'stormkv demo --patients 2000 --shards 4 --kills 5',
      'stormkv storm --start --shards 4 --report storm.html',
    ],
    commands: [
      serveCommand,
      configCommand,
      healthCommand,
      putCommand,
      getCommand,
      delCommand,
      scanCommand,
      expireCommand,
      ttlCommand,
      statsCommand,
      reloadCommand,
      watchCommand,
      dumpCommand,
      loadCommand,
      reshardCommand,
      compactCommand,
      backupCommand,
      restoreCommand,
      scrubCommand,
      salvageCommand,
      demoCommand,
      chaosCommand,
      stormCommand,
      inspectCommand,
      checkCommand,
      tokenCommand,
    ],
  };
  return runProgram(program, args, io);
}

/**
 * Node puts U+FFFD where an argument is not UTF-8, which would store a key under another name. The
 * raw bytes tell such an argument from one that really has the character.
 */
function areArgumentsDamaged(args: readonly string[]): boolean {
  if (!args.some((arg) => arg.includes('\uFFFD'))) return false;
  const raw = readLocalFileIfAny('/proc/self/cmdline');
  return raw === undefined || !isUtf8(raw);
}
