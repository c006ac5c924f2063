/**
 * One online backup (docs/formats/backup.md), from the main thread: pins shard after shard, has the
 * pool copy what the pins name, writes the inventory last. Nothing here blocks for long but the
 * writing of the inventory.
 *
 * A shard may die on the way, and with it its pin; then it is pinned anew. What was copied stays.
 */
import { resolve, sep } from 'node:path';
import { StormError } from '../base/errors.js';
import type { CopiedLog, CopyFile, CopyJob, JobResult } from '../rpc/jobs.js';
import type { AnswerTo, ShardPin, ShardQuestion } from '../rpc/shard-operations.js';
import {
  type BackupShard,
  backupShardDir,
  backupTableName,
  type Inventory,
  inventoryName,
  listBackups,
  readInventory,
  writeInventory,
} from '../storage/backup-inventory.js';
import { tableFileName } from '../storage/file-names.js';
import type { FileSystem } from '../storage/file-system.js';
import { decodeEdit } from '../storage/manifest-format.js';
import { applyEdit, EMPTY_STATE, type ManifestState, tablesOf } from '../storage/manifest-state.js';
import { makeDurableDir, type Root } from '../storage/root-manifest.js';

const PIN_MS = 60_000;
const ATTEMPTS_MAX = 5;
const RETRY_MS = 500;
/** Links cost next to nothing: many in one job. */
const LINKS_PER_JOB = 64;
const RETRIED = ['NOT_FOUND', 'UNAVAILABLE', 'WORKER_DIED', 'DATA_CORRUPTION', 'ENOENT'];

export interface BackupHost {
  fs: FileSystem;
  root: Root;
  dataDir: string;
  program: string;
  shardCount: number;
  wallMs(): number;
  ask<Q extends ShardQuestion>(shard: number, question: Q): Promise<AnswerTo<Q>>;
  runJob(job: CopyJob): Promise<JobResult>;
  pause(ms: number): Promise<void>;
}

export interface BackupOrder {
  /** Absolute, on this machine. */
  dir: string;
  /** Links tables where the file system can. */
  isLink: boolean;
}

export interface BackupProgress {
  doneBytes: number;
  totalBytes: number;
}

export interface BackupResult {
  id: number;
  /** Files of the backup, and their bytes. */
  files: number;
  bytes: number;
  /** What had to be written for it. */
  newBytes: number;
  /** By shard, the last sequence number that it has. */
  sequences: number[];
}

/** Rejects with a StormError that says what to do; then earlier backups are as they were. */
export async function runBackup(
  host: BackupHost,
  { dir, isLink }: BackupOrder,
  progress: (progress: BackupProgress) => void,
): Promise<BackupResult> {
  const id = prepare(host, dir);
  const run = new BackupRun(host, dir, isLink, `backup-${id}`, progress);
  const shards: BackupShard[] = [];
  for (let shard = 0; shard < host.shardCount; shard++) shards.push(await run.shard(shard));
  const { root, program } = host;
  const inventory: Inventory = { id, createdMs: host.wallMs(), program, root, shards };
  writeInventory(host.fs, dir, inventory);
  const logs = shards.flatMap(({ log }) => log);
  const tables = shards.flatMap(({ state }) => tablesOf(state));
  return {
    id,
    files: logs.length + tables.length,
    bytes: sum(logs, ({ endOffset }) => endOffset) + sum(tables, ({ sizeBytes }) => sizeBytes),
    newBytes: run.writtenBytes,
    sequences: shards.map(({ sequence }) => sequence),
  };
}

/** Makes the folders, sweeps what a killed backup left, and returns the id of this one. */
function prepare({ fs, root, dataDir, shardCount }: BackupHost, dir: string): number {
  refuseNested(dataDir, dir);
  makeDurableDir(fs, dir);
  const ids = listBackups(fs, dir);
  refuseForeign(fs, dir, ids, root);
  for (const name of fs.list(dir)) {
    if (/^backup-\d+\.json\.tmp$/.test(name)) fs.remove(`${dir}/${name}`);
  }
  for (let shard = 0; shard < shardCount; shard++) {
    const shardDir = backupShardDir(dir, shard);
    if (fs.stat(shardDir) === undefined) fs.makeDir(shardDir);
    for (const name of fs.list(shardDir)) {
      if (name.endsWith('.tmp')) fs.remove(`${shardDir}/${name}`);
    }
  }
  fs.syncDir(dir);
  return (ids.at(-1) ?? 0) + 1;
}

function refuseNested(dataDir: string, dir: string): void {
  const [data, target] = [`${resolve(dataDir)}${sep}`, `${resolve(dir)}${sep}`];
  if (!data.startsWith(target) && !target.startsWith(data)) return;
  throw new StormError(
    'INVALID_ARGUMENT',
    `${dir} must lie neither in the data dir ${dataDir} nor around it: choose another folder`,
  );
}

/** The newest inventory that can be read tells whose folder it is. */
function refuseForeign(fs: FileSystem, dir: string, ids: readonly number[], root: Root): void {
  for (const id of [...ids].reverse()) {
    let found: Inventory;
    try {
      found = readInventory(fs, dir, id);
    } catch (error) {
      if (error instanceof StormError && error.code === 'DATA_CORRUPTION') continue;
      throw error;
    }
    if (found.root.storeUuid === root.storeUuid) return;
    throw new StormError(
      'FAILED_PRECONDITION',
      `${dir}/${inventoryName(id)} is of store ${found.root.storeUuid}, this one is ` +
        `${root.storeUuid}: choose another folder`,
    );
  }
}

class BackupRun {
  writtenBytes = 0;
  readonly #host: BackupHost;
  readonly #dir: string;
  readonly #isLink: boolean;
  readonly #pinName: string;
  readonly #progress: (progress: BackupProgress) => void;
  #doneBytes = 0;
  #totalBytes = 0;

  constructor(
    host: BackupHost,
    dir: string,
    isLink: boolean,
    pinName: string,
    progress: (progress: BackupProgress) => void,
  ) {
    this.#host = host;
    this.#dir = dir;
    this.#isLink = isLink;
    this.#pinName = pinName;
    this.#progress = progress;
  }

  async shard(shard: number): Promise<BackupShard> {
    const before = { done: this.#doneBytes, total: this.#totalBytes };
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(shard);
      } catch (error) {
        if (!(error instanceof StormError) || !RETRIED.includes(error.code)) throw error;
        // A segment that was used again looks like damage, but hardly twice.
        if (attempt >= (error.code === 'DATA_CORRUPTION' ? 2 : ATTEMPTS_MAX)) throw error;
      }
      this.#doneBytes = before.done;
      this.#totalBytes = before.total;
      await this.#host.pause(RETRY_MS * attempt);
    }
  }

  async #attempt(shard: number): Promise<BackupShard> {
    const name = this.#pinName;
    const { pin } = await this.#host.ask(shard, { kind: 'pin', name, forMs: PIN_MS });
    try {
      return await this.#copy(shard, pin);
    } finally {
      // A shard that is gone has no pins.
      await this.#host.ask(shard, { kind: 'unpin', name }).catch(() => {});
    }
  }

  async #copy(shard: number, pin: ShardPin): Promise<BackupShard> {
    const edit = decodeEdit(pin.state, `the state of shard ${shard}`, 0);
    const state = applyEdit(EMPTY_STATE, edit);
    const tables = tablesOf(state);
    const logBytes = sum(pin.segments, ({ endOffset }) => endOffset ?? 0);
    this.#totalBytes += sum(tables, ({ sizeBytes }) => sizeBytes) + logBytes;
    const log: CopiedLog[] = [];
    for (const segment of pin.segments) {
      const file: CopyFile = { kind: 'log', ...segment };
      log.push(...(await this.#job(shard, [file], segment.endOffset ?? 0)));
    }
    const perJob = this.#isLink ? LINKS_PER_JOB : 1;
    for (let i = 0; i < tables.length; i += perJob) {
      const some = tables.slice(i, i + perJob);
      const files = some.map((table): CopyFile => {
        const { sizeBytes, crc32 } = table;
        const names = { name: tableFileName(table.number), to: backupTableName(table) };
        return { kind: 'table', ...names, sizeBytes, crc32, isLink: this.#isLink };
      });
      await this.#job(
        shard,
        files,
        sum(some, ({ sizeBytes }) => sizeBytes),
      );
    }
    const { sequence, takenAtMs, tablesAtMs } = pin;
    checkEnd(shard, state, log, sequence);
    return { shard, state, sequence, takenAtMs, tablesAtMs, log };
  }

  async #job(shard: number, files: CopyFile[], bytes: number): Promise<CopiedLog[]> {
    const { dataDir } = this.#host;
    const dir = backupShardDir(dataDir, shard);
    const backupDir = backupShardDir(this.#dir, shard);
    const [result] = await Promise.all([
      this.#host.runJob({ kind: 'copy', dir, backupDir, files }),
      this.#renew(shard),
    ]);
    if (!result.ok) throw failureOf(result);
    this.writtenBytes += result.output.bytesWritten;
    this.#doneBytes += bytes;
    this.#progress({ doneBytes: this.#doneBytes, totalBytes: this.#totalBytes });
    return result.output.logs ?? [];
  }

  async #renew(shard: number): Promise<void> {
    const question = { kind: 'renew-pin', name: this.#pinName, forMs: PIN_MS } as const;
    const { isHeld } = await this.#host.ask(shard, question);
    if (!isHeld) throw new StormError('UNAVAILABLE', `The pin of shard ${shard} has ended`);
  }
}

function checkEnd(
  shard: number,
  state: ManifestState,
  log: readonly CopiedLog[],
  sequence: number,
): void {
  const end = Math.max(log.at(-1)?.lastSequence ?? 0, state.flushedSequence);
  if (end === sequence) return;
  throw new StormError(
    'DATA_CORRUPTION',
    `The log of shard ${shard} was copied to sequence ${end}, but it goes to ${sequence}`,
  );
}

/** System errors come as their code. */
function failureOf({ code, message }: Extract<JobResult, { ok: false }>): StormError {
  if (code === 'DATA_CORRUPTION') return new StormError('DATA_CORRUPTION', message);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const text = `No space is left for the backup: ${message}; make room and start it again`;
    return new StormError('RESOURCE_EXHAUSTED', text);
  }
  if (RETRIED.includes(code)) return new StormError('UNAVAILABLE', message);
  return new StormError('FAILED_PRECONDITION', `A file cannot be copied: ${message}`);
}

function sum<T>(list: readonly T[], value: (each: T) => number): number {
  return list.reduce((total, each) => total + value(each), 0);
}
