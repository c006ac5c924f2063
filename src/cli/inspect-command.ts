import { RunReader } from '../base/entry-run.js';
import { StormError } from '../base/errors.js';
import { surveyManifest } from '../storage/check-manifest.js';
import { surveyTable } from '../storage/check-table.js';
import { surveySegment } from '../storage/check-wal.js';
import { type EntryView, KIND_DELETE } from '../storage/entry-cursor.js';
import type { FileSystem } from '../storage/file-system.js';
import {
  FRAME_CLOSE,
  FRAME_DATA,
  FRAME_EDIT,
  FRAME_SEAL,
  type FrameHeader,
} from '../storage/log-frame.js';
import type { ManifestEdit } from '../storage/manifest-format.js';
import { nodeFileSystem } from '../storage/node-file-system.js';
import { CODEC_DEFLATE, CODEC_LZ4, CODEC_RAW } from '../storage/table-format.js';
import type { TableProperties } from '../storage/table-properties.js';
import type { SegmentHeader } from '../storage/wal-format.js';
import type { CommandSpec } from './command.js';
import { EXIT } from './exit-codes.js';
import { InspectOutput, textOfTime } from './inspect-output.js';

interface Inspection {
  fs: FileSystem;
  path: string;
  output: InspectOutput;
  showKeys: boolean;
}

const KINDS: Readonly<Record<string, (inspection: Inspection) => void>> = {
  table: inspectTable,
  wal: inspectWal,
  manifest: inspectManifest,
};

export const inspectCommand: CommandSpec = {
  name: 'inspect',
  summary: 'Print what is in a table, a WAL segment or a manifest, up to any damage',
  arguments: [
    { name: 'kind', help: 'table, wal or manifest' },
    { name: 'file', help: 'the file; nothing is changed' },
  ],
  options: [
    { flags: '--json', help: 'print one JSON object per line' },
    { flags: '--keys', help: 'print keys and values too; they may be confidential' },
  ],
  examples: [
    'stormkv inspect table data/shard-000/table-000012.sst',
    'stormkv inspect wal data/shard-000/wal-000001.seg --keys',
    'stormkv inspect manifest data/shard-000/manifest-000009.log --json',
  ],
  run(io, [kind = '', path = ''], options) {
    const inspect = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
    if (inspect === undefined) {
      throw new StormError('INVALID_ARGUMENT', `The kind must be table, wal or manifest: ${kind}`);
    }
    if (nodeFileSystem.stat(path)?.kind !== 'file') {
      throw new StormError('INVALID_ARGUMENT', `There is no file ${path}`);
    }
    const output = new InspectOutput(io, options['json'] === true);
    inspect({ fs: nodeFileSystem, path, output, showKeys: options['keys'] === true });
    return Promise.resolve(output.damageCount > 0 ? EXIT.corruption : EXIT.ok);
  },
};

function inspectTable({ fs, path, output, showKeys }: Inspection): void {
  surveyTable(
    fs,
    path,
    {
      footer: (footer, sizeBytes) => output.line('footer', { sizeBytes, ...footer }),
      properties: (properties) => printProperties(output, properties, showKeys),
      index: ({ count }, { indexOffset }) =>
        output.line('index', { offset: indexOffset, blocks: count }),
      filter: (filter, { filterOffset }) => {
        if (filter === undefined) output.line('filter', { present: false });
        else output.line('filter', { offset: filterOffset, ...filter.shape });
      },
      block: ({ block, offset, length, codec, rawLength }) =>
        output.line('block', { number: block, offset, length, codec: codecName(codec), rawLength }),
      entry: (entry) => {
        if (showKeys) printEntry(output, entry);
      },
    },
    output.found,
  );
}

function printProperties(output: InspectOutput, p: TableProperties, showKeys: boolean): void {
  const { minKey, maxKey, ...numbers } = p;
  const keys = showKeys ? { minKey, maxKey } : {};
  output.line('properties', { ...numbers, ...keys });
}

function codecName(codec: number): string {
  if (codec === CODEC_RAW) return 'raw';
  if (codec === CODEC_DEFLATE) return 'deflate';
  return codec === CODEC_LZ4 ? 'lz4' : String(codec);
}

function printEntry(output: InspectOutput, entry: EntryView): void {
  const { keyBytes, keyStart, keyLength, valueBytes, valueStart, valueLength } = entry;
  const isDelete = entry.kind === KIND_DELETE;
  output.line(isDelete ? '  delete' : '  put', {
    key: keyBytes.subarray(keyStart, keyStart + keyLength),
    sequence: entry.sequence,
    expiresAt: entry.expiresAtMs === 0 ? undefined : textOfTime(entry.expiresAtMs),
    value: isDelete ? undefined : valueBytes.subarray(valueStart, valueStart + valueLength),
  });
}

function inspectWal({ fs, path, output, showKeys }: Inspection): void {
  surveySegment(
    fs,
    path,
    {
      blank: (sizeBytes) => output.line('segment', { sizeBytes, blank: true }),
      header: (header, sizeBytes) => printSegment(output, header, sizeBytes),
      frame: (header, payload) => {
        printFrame(output, header);
        if (showKeys && header.type === FRAME_DATA) printRun(output, header, payload);
      },
      end: (offset, lastSequence) => output.line('end', { offset, lastSequence }),
    },
    output.found,
  );
}

function printSegment(output: InspectOutput, header: SegmentHeader, sizeBytes: number): void {
  output.line('segment', {
    number: header.number,
    version: header.version,
    shard: header.shard,
    storeUuid: Buffer.from(header.storeUuid).toString('hex'),
    nonce: header.nonce,
    ownerEpoch: header.ownerEpoch,
    sizeBytes,
    firstSequence: header.firstSequence,
  });
  output.line('follows', { ...header.predecessor });
}

function printFrame(output: InspectOutput, header: FrameHeader): void {
  output.line('frame', {
    offset: header.offset,
    type: frameType(header.type),
    payloadLength: header.payloadLength,
    entries: header.count,
    firstSequence: header.firstSequence,
    syncedOffset: header.syncedOffset,
    committedAt: header.commitTimeMs === 0 ? undefined : textOfTime(header.commitTimeMs),
  });
}

function frameType(type: number): string {
  if (type === FRAME_DATA) return 'data';
  if (type === FRAME_SEAL) return 'seal';
  if (type === FRAME_CLOSE) return 'close';
  return type === FRAME_EDIT ? 'edit' : String(type);
}

/** What does not decode is among the findings. */
function printRun(output: InspectOutput, header: FrameHeader, payload: Uint8Array): void {
  const reader = new RunReader();
  try {
    reader.reset(payload, 0, payload.length);
    for (let sequence = header.firstSequence; reader.next(); sequence++) {
      const { keyStart, keyLength, valueStart, valueLength, ttlMs, isDelete } = reader;
      output.line(isDelete ? '  delete' : '  put', {
        key: payload.subarray(keyStart, keyStart + keyLength),
        sequence,
        expiresAt: ttlMs === 0 ? undefined : textOfTime(header.commitTimeMs + ttlMs),
        value: isDelete ? undefined : payload.subarray(valueStart, valueStart + valueLength),
      });
    }
  } catch (error) {
    if (!(error instanceof StormError)) throw error;
  }
}

function inspectManifest({ fs, path, output, showKeys }: Inspection): void {
  surveyManifest(
    fs,
    path,
    {
      edit: (edit, { offset }) => printEdit(output, edit, offset, showKeys),
      end(state, offset) {
        const { nextNumber, flushedSequence, minSegment, ownerEpoch, runs } = state;
        const numbers = { nextNumber, flushedSequence, minSegment, ownerEpoch };
        output.line('state', { end: offset, ...numbers, runs: runs.length });
        for (const { id, tables } of runs) {
          output.line('run', { id, tables: tables.map(({ number }) => number).join(' ') });
        }
      },
    },
    output.found,
  );
}

function printEdit(
  output: InspectOutput,
  edit: ManifestEdit,
  offset: number,
  showKeys: boolean,
): void {
  const { snapshot, nextNumber, flushedSequence, minSegment } = edit;
  output.line('edit', { offset, ...snapshot, nextNumber, flushedSequence, minSegment });
  for (const { minKey, maxKey, ...numbers } of edit.add ?? []) {
    const keys = showKeys ? { minKey, maxKey } : {};
    output.line('  add', { ...numbers, ...keys });
  }
  if (edit.remove !== undefined) output.line('  remove', { tables: edit.remove.join(' ') });
  if (edit.runs !== undefined) output.line('  runs', { order: edit.runs.join(' ') });
}
