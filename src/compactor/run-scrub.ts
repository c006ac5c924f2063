/**
 * Reads stored bytes again and compares checksums: a part of a table, a whole one with all that is
 * in it, or a segment of the log. Changes nothing. What it reads may come from the page cache, as
 * what is served does; a disk that lost a page shows once that page is read anew.
 */
import { crc32 } from 'node:zlib';
import { messageOf, StormError } from '../base/errors.js';
import type { JobOutput, ScrubJob } from '../rpc/jobs.js';
import { checkTable } from '../storage/check-table.js';
import { readWhole } from '../storage/check-wal.js';
import type { FileSystem } from '../storage/file-system.js';
import { walkSegment } from '../storage/segment-walk.js';

/** Findings of one file that are told; one is enough to act. */
const TOLD_MAX = 8;

export function runScrub(fs: FileSystem, { dir, part }: ScrubJob): JobOutput {
  switch (part.kind) {
    case 'slice':
      return slice(fs, `${dir}/${part.name}`, part);
    case 'table': {
      const damage: string[] = [];
      checkTable(fs, dir, part.table, ({ what, offset }) => {
        if (damage.length < TOLD_MAX) damage.push(`${what} (offset ${offset})`);
      });
      return output(part.table.sizeBytes, { damage });
    }
    case 'log':
      return output(part.sizeBytes, { damage: segment(fs, `${dir}/${part.name}`, part) });
  }
}

function slice(
  fs: FileSystem,
  path: string,
  { from, length, crc32: before }: { from: number; length: number; crc32: number },
): JobOutput {
  const handle = fs.open(path, 'read');
  try {
    const bytes = new Uint8Array(length);
    const got = handle.readAt(bytes, 0, length, from);
    return output(got, { crc32: crc32(bytes.subarray(0, got), before) });
  } finally {
    handle.close();
  }
}

/** A segment that was used again meanwhile is not damaged: then NOT_FOUND is passed on. */
function segment(
  fs: FileSystem,
  path: string,
  { number, lastSequence }: { number: number; lastSequence: number },
): string[] {
  try {
    walkSegment(readWhole(fs, path), path, { number, lastSequence, endOffset: undefined });
    return [];
  } catch (error) {
    if (error instanceof StormError && error.code === 'NOT_FOUND') throw error;
    return [messageOf(error)];
  }
}

function output(bytesRead: number, more: Partial<JobOutput>): JobOutput {
  return { tables: [], bytesRead, bytesWritten: 0, ...more };
}
