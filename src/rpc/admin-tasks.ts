/**
 * Work that an operator starts and that takes a while: backups, a pass of the scrub. A call starts
 * it and is answered at once; how far it is, is asked for by its id. Nothing is lost when the
 * caller goes away.
 */
import { StormError } from '../base/errors.js';
import { bytesTag, numberTag, ProtoReader } from './proto-reader.js';
import { ProtoWriter } from './proto-writer.js';

export const TASK_KINDS = ['backup', 'scrub'] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

export interface TaskStatus {
  id: number;
  kind: TaskKind;
  state: 'running' | 'done' | 'failed';
  doneBytes: number;
  totalBytes: number;
  /** Of a failed one: a code of base/errors.ts, and what to do. */
  code: string;
  message: string;
  /** Of one that is done: what came of it, as a JSON object. */
  report: string;
}

export interface BackupRequest {
  /** Absolute, on the server's machine. */
  dir: string;
  /** Links tables where the file system can; otherwise everything is copied. */
  isLink: boolean;
}

/** BackupRequest of proto/kv_admin.proto. */
export function decodeBackupRequest(message: Uint8Array): BackupRequest {
  let dir = '';
  let isCopy = 0;
  const reader = new ProtoReader(message);
  while (reader.next()) {
    if (reader.tag === bytesTag(1)) dir = Buffer.from(reader.bytes()).toString('utf8');
    else if (reader.tag === numberTag(2)) isCopy = reader.number();
    else reader.skip();
  }
  if (dir.startsWith('/')) return { dir, isLink: isCopy === 0 };
  throw new StormError(
    'INVALID_ARGUMENT',
    `dir must be an absolute path on the server's machine: found "${dir}"`,
  );
}

/** TaskRequest; the id. */
export function decodeTaskRequest(message: Uint8Array): number {
  let id = 0;
  const reader = new ProtoReader(message);
  while (reader.next()) {
    if (reader.tag === numberTag(1)) id = reader.number();
    else reader.skip();
  }
  return id;
}

export function encodeTaskStatus(status: TaskStatus): Buffer {
  const writer = new ProtoWriter();
  writer.number(1, status.id);
  writer.text(2, status.kind);
  writer.text(3, status.state);
  writer.number(4, status.doneBytes);
  writer.number(5, status.totalBytes);
  writer.text(6, status.code);
  writer.text(7, status.message);
  writer.text(8, status.report);
  return writer.resultView();
}
