/** What options owe each other. Checked once every option by itself is what it may be. */

import { ENTRY_OVERHEAD_BYTES_MAX, RUN_HEADER_BYTES } from '../base/entry-run.js';
import type { Config, ConfigPath } from './config.js';
import { DOOR_RELATIONS } from './door-relations.js';
import { KIB } from './option-table.js';

/** Header, alignment and end mark of a WAL file. */
const SEGMENT_OVERHEAD_BYTES = 16 * KIB;
const PAGE_BYTES = 4 * KIB;

interface Relation {
  /** Not looked at when one of these is wrong already. */
  paths: readonly ConfigPath[];
  /** The fault, or undefined where there is none. */
  faultOf(config: Config): string | undefined;
}

/** Faults of a configuration whose options, except `wrong`, are each valid. */
export function relationFaults(config: Config, wrong: ReadonlySet<ConfigPath>): string[] {
  const faults: string[] = [];
  for (const { paths, faultOf } of RELATIONS) {
    if (paths.some((path) => wrong.has(path))) continue;
    const fault = faultOf(config);
    if (fault !== undefined) faults.push(fault);
  }
  return faults;
}

const RELATIONS: readonly Relation[] = [
  {
    paths: ['limits.batchBytesMax', 'limits.keyBytesMax', 'limits.valueBytesMax'],
    faultOf: ({ limits }) =>
      atLeast(
        'limits.batchBytesMax',
        limits.batchBytesMax,
        `limits.keyBytesMax + limits.valueBytesMax + ${ENTRY_BYTES}, the largest single write`,
        limits.keyBytesMax + limits.valueBytesMax + ENTRY_BYTES,
      ),
  },
  {
    paths: ['wal.segmentBytes', 'wal.groupBytesMax', 'limits.batchBytesMax'],
    faultOf: ({ wal, limits }) =>
      atLeast(
        'wal.segmentBytes',
        wal.segmentBytes,
        `wal.groupBytesMax + limits.batchBytesMax + ${SEGMENT_OVERHEAD_BYTES}, the largest frame`,
        wal.groupBytesMax + limits.batchBytesMax + SEGMENT_OVERHEAD_BYTES,
      ),
  },
  {
    paths: ['wal.segmentBytes'],
    faultOf: ({ wal }) =>
      wal.segmentBytes % PAGE_BYTES === 0
        ? undefined
        : `wal.segmentBytes must be a multiple of ${PAGE_BYTES}: found ${wal.segmentBytes}`,
  },
  {
    paths: ['wal.liveBytesMax', 'wal.segmentBytes'],
    faultOf: ({ wal }) =>
      atLeast('wal.liveBytesMax', wal.liveBytesMax, '2 × wal.segmentBytes', 2 * wal.segmentBytes),
  },
  {
    paths: ['compaction.garbagePercentBusy', 'compaction.garbagePercentQuiet'],
    faultOf: ({ compaction }) =>
      atLeast(
        'compaction.garbagePercentBusy',
        compaction.garbagePercentBusy,
        'compaction.garbagePercentQuiet',
        compaction.garbagePercentQuiet,
      ),
  },
  {
    paths: ['pressure.runsSoft', 'compaction.fanIn'],
    faultOf: ({ pressure, compaction }) =>
      atLeast(
        'pressure.runsSoft',
        pressure.runsSoft,
        '5 × compaction.fanIn, more than merges let stand',
        5 * compaction.fanIn,
      ),
  },
  {
    paths: ['pressure.runsSoft', 'pressure.runsHard'],
    faultOf: ({ pressure: { runsSoft, runsHard } }) =>
      atLeast('pressure.runsHard', runsHard, 'pressure.runsSoft + 1', runsSoft + 1),
  },
  {
    paths: ['pressure.debtBytesSoft', 'pressure.debtBytesHard'],
    faultOf: ({ pressure: { debtBytesSoft, debtBytesHard } }) =>
      atLeast(
        'pressure.debtBytesHard',
        debtBytesHard,
        'pressure.debtBytesSoft + 1',
        debtBytesSoft + 1,
      ),
  },
  ...DOOR_RELATIONS,
];

const ENTRY_BYTES = RUN_HEADER_BYTES + ENTRY_OVERHEAD_BYTES_MAX;

function atLeast(path: ConfigPath, found: number, what: string, least: number): string | undefined {
  return found >= least ? undefined : `${path} must be at least ${least} (${what}): found ${found}`;
}
