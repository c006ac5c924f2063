/** What lies where in the files of a store: every byte of every file belongs to one region. */
import { surveyManifest } from '../../src/storage/check-manifest.js';
import { type SurveyedBlock, surveyTable } from '../../src/storage/check-table.js';
import { surveySegment } from '../../src/storage/check-wal.js';
import { FRAME_HEADER_BYTES, frameBytes } from '../../src/storage/log-frame.js';
import type { ManifestState } from '../../src/storage/manifest-state.js';
import { type Footer, TRAILER_BYTES } from '../../src/storage/table-format.js';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES } from '../../src/storage/wal-format.js';
import { SHARD_DIR } from './crash-machine.js';
import type { SimulatedDisk } from './simulated-disk.js';

export interface Region {
  path: string;
  start: number;
  end: number;
  /** Its kind, for counting: `wal frame header`. */
  name: string;
}

export interface WalFile {
  path: string;
  number: number;
  nonce: number;
  sizeBytes: number;
  /** Verified frames; `end` is behind the payload. */
  frames: { start: number; end: number }[];
}

const HEADER_CONTENT_BYTES = 512;
const CODEC_NAMES = ['raw', 'deflate', 'lz4'];
const ignore = (): void => {};

/** Regions in which every byte counts and none may be left out, however short the run. */
export const HEADS_AND_FEET: ReadonlySet<string> = new Set([
  'root',
  'current',
  'manifest frame header',
  'wal segment header',
  'wal frame header',
  'table trailer',
  'table properties',
  'table footer',
]);

/** All regions of the file, in order and without gaps. */
export function regionsOf(disk: SimulatedDisk, path: string): Region[] {
  const size = disk.contentOf(path).length;
  const file = path.slice(path.lastIndexOf('/') + 1);
  if (file === 'ROOT') return [{ path, start: 0, end: size, name: 'root' }];
  if (file === 'CURRENT') return [{ path, start: 0, end: size, name: 'current' }];
  if (file.endsWith('.sst')) return tableRegions(disk, path);
  if (file.endsWith('.log')) return manifestRegions(disk, path, size);
  if (file.endsWith('.seg')) return walRegions(disk, path, size);
  throw new Error(`No file of a store: ${path}`);
}

/** What the manifest in force describes. */
export function manifestStateOf(disk: SimulatedDisk): ManifestState {
  const states: ManifestState[] = [];
  for (const name of disk.list(SHARD_DIR)) {
    if (!name.startsWith('manifest-')) continue;
    surveyManifest(disk, `${SHARD_DIR}/${name}`, { end: (state) => states.push(state) }, ignore);
  }
  const [state] = states;
  if (state === undefined || states.length > 1) throw new Error('There must be one manifest');
  return state;
}

/** All segments that the manifest needs, oldest first. */
export function walFilesOf(disk: SimulatedDisk): WalFile[] {
  const { minSegment } = manifestStateOf(disk);
  const files = disk.list(SHARD_DIR).filter((name) => name.endsWith('.seg'));
  return files
    .flatMap((name) => walFile(disk, `${SHARD_DIR}/${name}`) ?? [])
    .filter(({ number }) => number >= minSegment)
    .sort((a, b) => a.number - b.number);
}

function walFile(disk: SimulatedDisk, path: string): WalFile | undefined {
  const bytes = disk.contentOf(path);
  const reading = decodeSegmentHeader(bytes.subarray(0, SEGMENT_HEADER_BYTES));
  if (reading.kind !== 'valid') return undefined;
  const { number, nonce, sizeBytes } = reading.header;
  const frames: WalFile['frames'] = [];
  const frame = ({ offset, payloadLength }: { offset: number; payloadLength: number }): void =>
    void frames.push({ start: offset, end: offset + FRAME_HEADER_BYTES + payloadLength });
  surveySegment(disk, path, { frame }, ignore);
  return { path, number, nonce, sizeBytes, frames };
}

function walRegions(disk: SimulatedDisk, path: string, size: number): Region[] {
  const file = walFilesOf(disk).find((one) => one.path === path);
  if (file === undefined) return [{ path, start: 0, end: size, name: 'wal spare' }];
  const regions: Region[] = [
    { path, start: 0, end: HEADER_CONTENT_BYTES, name: 'wal segment header' },
    { path, start: HEADER_CONTENT_BYTES, end: SEGMENT_HEADER_BYTES, name: 'wal header padding' },
  ];
  let at = SEGMENT_HEADER_BYTES;
  for (const { start, end } of file.frames) {
    at = start + frameBytes(end - start - FRAME_HEADER_BYTES);
    regions.push(...frameRegions('wal', path, start, end, at));
  }
  if (at < size) regions.push({ path, start: at, end: size, name: 'wal free space' });
  return regions;
}

function manifestRegions(disk: SimulatedDisk, path: string, size: number): Region[] {
  const regions: Region[] = [];
  let at = 0;
  const edit = (_edit: unknown, header: { offset: number; payloadLength: number }): void => {
    const { offset, payloadLength } = header;
    at = offset + frameBytes(payloadLength);
    const end = offset + FRAME_HEADER_BYTES + payloadLength;
    regions.push(...frameRegions('manifest', path, offset, end, at));
  };
  surveyManifest(disk, path, { edit }, ignore);
  if (at < size) regions.push({ path, start: at, end: size, name: 'manifest free space' });
  return regions;
}

function frameRegions(
  log: string,
  path: string,
  start: number,
  payloadEnd: number,
  end: number,
): Region[] {
  const payloadAt = start + FRAME_HEADER_BYTES;
  const regions: Region[] = [
    { path, start, end: payloadAt, name: `${log} frame header` },
    { path, start: payloadAt, end: payloadEnd, name: `${log} payload` },
    { path, start: payloadEnd, end, name: `${log} frame padding` },
  ];
  return regions.filter((region) => region.end > region.start);
}

function tableRegions(disk: SimulatedDisk, path: string): Region[] {
  const regions: Region[] = [];
  const section = (start: number, length: number, name: string): void => {
    const end = start + length;
    regions.push({ path, start, end: end - TRAILER_BYTES, name });
    regions.push({ path, start: end - TRAILER_BYTES, end, name: 'table trailer' });
  };
  const footer = (f: Footer, sizeBytes: number): void => {
    section(f.indexOffset, f.indexLength, 'table index');
    if (f.filterLength > 0) section(f.filterOffset, f.filterLength, 'table filter');
    section(f.propertiesOffset, f.propertiesLength, 'table properties');
    const start = f.propertiesOffset + f.propertiesLength;
    regions.push({ path, start, end: sizeBytes, name: 'table footer' });
  };
  const block = ({ offset, length, codec }: SurveyedBlock): void =>
    section(offset, length, `table block, ${CODEC_NAMES[codec] ?? 'unknown'}`);
  surveyTable(disk, path, { footer, block }, ignore);
  return regions.sort((a, b) => a.start - b.start);
}
