import { resolve } from 'node:path';
import { StormError } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { systemClock } from '../base/system-clock.js';
import { checkDataDir } from '../storage/check-data-dir.js';
import type { Finding } from '../storage/check-finding.js';
import type { CheckTotals } from '../storage/check-shard.js';
import { nodeFileSystem } from '../storage/node-file-system.js';
import { DataDirLock } from '../supervisor/data-dir-lock.js';
import { systemTimers } from '../supervisor/timers.js';
import type { CommandIo, CommandSpec } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { findingText } from './inspect-output.js';

const PROGRESS_MS = 500;

export const checkCommand: CommandSpec = {
  name: 'check',
  summary: 'Verify all stored data of a stopped server; nothing is changed',
  arguments: [{ name: 'datadir', help: 'the data dir; it must not be in use' }],
  options: [{ flags: '--json', help: 'print the result as one JSON object' }],
  examples: ['stormkv check ./data', 'stormkv check /var/lib/stormkv --json'],
  async run(io, [given = ''], options) {
    const dir = resolve(given);
    if (nodeFileSystem.stat(dir)?.kind !== 'directory') {
      throw new StormError('INVALID_ARGUMENT', `There is no data dir ${dir}`);
    }
    const env = { clock: systemClock, random: systemRandom, timers: systemTimers };
    const lock = await DataDirLock.acquire(dir, env);
    try {
      return checkLocked(io, dir, options['json'] === true);
    } finally {
      await lock.release();
    }
  },
};

function checkLocked(io: CommandIo, dir: string, asJson: boolean): ExitCode {
  const totals: CheckTotals = {
    shards: 0,
    tables: 0,
    tableBytes: 0,
    entries: 0,
    segments: 0,
    frames: 0,
  };
  const findings: Finding[] = [];
  const found = (finding: Finding): void => {
    findings.push(finding);
    if (!asJson) io.out(`${findingText(finding)}\n`);
  };
  checkDataDir(nodeFileSystem, dir, { found, progress: progressOn(io), totals });
  const damaged = findings.filter(({ severity }) => severity === 'damage').length;
  const notices = findings.length - damaged;
  if (asJson) {
    io.out(`${JSON.stringify({ dir, ok: damaged === 0, damaged, notices, totals, findings })}\n`);
  } else {
    const { shards, tables, entries, segments, frames } = totals;
    io.out(
      `${damaged === 0 ? 'No damage' : `${damaged} places damaged`} (${notices} notices) in ` +
        `${shards} shards: ${tables} tables with ${entries} entries, ` +
        `${segments} WAL segments with ${frames} frames\n`,
    );
  }
  return damaged === 0 ? EXIT.ok : EXIT.corruption;
}

/** Says where the check is, now and then, to a person who waits. */
function progressOn(io: CommandIo): (file: string) => void {
  let lastMs = systemClock.monotonicMs();
  return (file) => {
    const now = systemClock.monotonicMs();
    if (!io.errIsTerminal || now - lastMs < PROGRESS_MS) return;
    lastMs = now;
    io.say(`checking ${file}`);
  };
}
