import { resolve } from 'node:path';
import { StormError } from '../base/errors.js';
import { systemClock } from '../base/system-clock.js';
import { countingDamage, verifyBackup } from '../offline/verify-backup.js';
import type { TaskStatus } from '../rpc/admin-tasks.js';
import { type Inventory, listBackups, readInventory } from '../storage/backup-inventory.js';
import { type Finding, reporting } from '../storage/check-finding.js';
import type { CheckTotals } from '../storage/check-shard.js';
import { tablesOf } from '../storage/manifest-state.js';
import { nodeFileSystem } from '../storage/node-file-system.js';
import { callServer, SERVER_OPTIONS } from './call-server.js';
import { type CommandIo, type CommandSpec, type OptionValues, textOption } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { findingText } from './inspect-output.js';
import type { KvClient } from './kv-client.js';
import { parseNumber } from './parse-number.js';
import { ProgressLine } from './progress-line.js';
import { bytes } from './stats-view.js';
import { waitForTask } from './task-progress.js';
import { textTable } from './text-table.js';

export const backupCommand: CommandSpec = {
  name: 'backup',
  summary: 'Back up a running server, or verify or list what a backup folder holds',
  arguments: [
    {
      name: 'folder',
      help: "the backup folder, on the server's machine; or `verify`, or `list`, before it",
    },
    { name: 'folder-to-look-at', help: 'after `verify` or `list`', isOptional: true },
  ],
  options: [
    { flags: '--copy', help: 'copy tables also where the file system could link them' },
    { flags: '--id <number>', help: 'with verify: only this backup (default: all)' },
    { flags: '--json', help: 'print the result as one JSON object' },
    ...SERVER_OPTIONS,
  ],
  examples: [
    'stormkv backup --target 127.0.0.1:8081 /backups/stormkv',
    'stormkv backup list /backups/stormkv',
    'stormkv backup verify /backups/stormkv --id 3',
    'stormkv restore /backups/stormkv ./data-restored',
  ],
  run(io, [first = '', second], options) {
    if (second === undefined) return takeBackup(io, resolve(first), options);
    const dir = resolve(second);
    if (first === 'list') return Promise.resolve(list(io, dir, options));
    if (first === 'verify') return Promise.resolve(verify(io, dir, options));
    const text = `Write stormkv backup verify ${second}, or list: found ${first}`;
    return Promise.reject(new StormError('INVALID_ARGUMENT', text));
  },
};

function takeBackup(io: CommandIo, dir: string, options: OptionValues): Promise<ExitCode> {
  return callServer(io, options, async (client: KvClient) => {
    const begun = await client.startBackup(dir, options['copy'] === true);
    const done = await waitForTask(io, client, begun);
    printBackup(io, dir, done, options['json'] === true);
    return EXIT.ok;
  });
}

function printBackup(io: CommandIo, dir: string, { report }: TaskStatus, asJson: boolean): void {
  if (asJson) {
    io.out(`${JSON.stringify({ dir, ...(JSON.parse(report) as object) })}\n`);
    return;
  }
  const { id, files, bytes: all, newBytes } = JSON.parse(report) as Record<string, number>;
  io.out(
    `Backup ${id} in ${dir}: ${files} files, ${bytes(all ?? 0)}, of which ` +
      `${bytes(newBytes ?? 0)} were copied\n`,
  );
}

/** Every backup in the folder that can be read, the oldest first. */
export function readInventories(dir: string, found: (finding: Finding) => void): Inventory[] {
  const ids = listBackups(nodeFileSystem, dir);
  if (ids.length === 0) {
    throw new StormError('NOT_FOUND', `There is no backup in ${dir}: take one with stormkv backup`);
  }
  return ids.flatMap((id) => {
    return reporting(found, dir, 0, () => readInventory(nodeFileSystem, dir, id)) ?? [];
  });
}

function list(io: CommandIo, dir: string, options: OptionValues): ExitCode {
  const findings: Finding[] = [];
  const rows = readInventories(dir, (finding) => findings.push(finding)).map((one) => {
    const tables = one.shards.flatMap(({ state }) => tablesOf(state));
    const logs = one.shards.flatMap(({ log }) => log);
    return {
      id: one.id,
      createdAt: new Date(one.createdMs).toISOString(),
      shards: one.shards.length,
      tables: tables.length,
      bytes:
        tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) +
        logs.reduce((sum, { endOffset }) => sum + endOffset, 0),
      sequences: one.shards.map(({ sequence }) => sequence),
      tablesAt: new Date(Math.max(...one.shards.map((s) => s.tablesAtMs))).toISOString(),
      program: one.program,
    };
  });
  if (options['json'] === true) io.out(`${JSON.stringify({ dir, backups: rows, findings })}\n`);
  else {
    const heads = ['backup', 'complete at', 'goes back to', 'shards', 'tables', 'size', 'version'];
    const lines = rows.map((row) => {
      const { id, createdAt, tablesAt, shards, tables, bytes: size, program } = row;
      return [id, createdAt, tablesAt, shards, tables, bytes(size), program].map(String);
    });
    io.out(`${textTable([heads, ...lines])}\n`);
    for (const finding of findings) io.say(findingText(finding));
  }
  return findings.length === 0 ? EXIT.ok : EXIT.corruption;
}

function verify(io: CommandIo, dir: string, options: OptionValues): ExitCode {
  const asJson = options['json'] === true;
  const findings: Finding[] = [];
  const { found, count } = countingDamage((finding) => {
    findings.push(finding);
    if (!asJson) io.out(`${findingText(finding)}\n`);
  });
  const wanted = textOption(options, 'id');
  const inventories =
    wanted === undefined
      ? readInventories(dir, found)
      : [readInventory(nodeFileSystem, dir, idOf(wanted))];
  const totals: CheckTotals = {
    shards: 0,
    tables: 0,
    tableBytes: 0,
    entries: 0,
    segments: 0,
    frames: 0,
  };
  const line = new ProgressLine(io, systemClock);
  const progress = (file: string): void => line.show(() => `verifying ${file}`);
  const seen = new Set<string>();
  const results = inventories.map((inventory) => {
    const before = count();
    verifyBackup(nodeFileSystem, dir, inventory, { found, progress, totals }, seen);
    return { id: inventory.id, ok: count() === before };
  });
  const damaged = count();
  const { tables, entries, segments, frames } = totals;
  if (asJson) {
    io.out(`${JSON.stringify({ dir, ok: damaged === 0, damaged, results, totals, findings })}\n`);
  } else {
    io.out(
      `${damaged === 0 ? 'No damage' : `${damaged} places damaged`} in ` +
        `${results.length} backups: ` +
        `${tables} tables with ${entries} entries, ${segments} segments with ${frames} frames\n`,
    );
  }
  return damaged === 0 ? EXIT.ok : EXIT.corruption;
}

function idOf(text: string): number {
  return parseNumber('--id', text, 1, Number.MAX_SAFE_INTEGER);
}
