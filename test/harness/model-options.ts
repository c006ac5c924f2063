/** The ways in which the model test sets an engine up; each has its reason to go wrong alone. */
import type { EngineOptions } from '../../src/rpc/control.js';
import { lz4Available } from '../../src/storage/block-codec.js';
import { smallOptions } from './engine-rig.js';

const { table: TABLE } = smallOptions();
const compressed = (compression: 'lz4' | 'deflate') => ({
  ...TABLE,
  blockBytes: 1024,
  compression,
});

export const MODEL_OPTIONS: Readonly<Record<string, Partial<EngineOptions>>> = {
  'the usual options': {},
  'a MemTable of 2 KiB': {
    arenaBytes: 2048,
    valueBytesMax: 256,
    batchBytesMax: 700,
    walGroupBytesMax: 700,
    table: { ...TABLE, tableBytesMax: 8 * 1024 },
  },
  'a block for each entry': { table: { ...TABLE, blockBytes: 1 } },
  'no bloom filter': { table: { ...TABLE, bloomBitsPerKey: 0 } },
  'no block cache and lz4': {
    blockCacheBytes: 0,
    table: compressed(lz4Available() ? 'lz4' : 'deflate'),
  },
  'lz4 and a cache of a few blocks': {
    blockCacheBytes: 4096,
    table: compressed(lz4Available() ? 'lz4' : 'deflate'),
    readVerify: 'first-touch',
  },
  deflate: { table: compressed('deflate') },
  'mapped tables': { readMode: 'mmap', readVerify: 'first-touch' },
  'mapped tables verified always': { readMode: 'mmap' },
  'merges of 2': { mergeFanIn: 2 },
  'tables of 1 KiB': { table: { ...TABLE, tableBytesMax: 1024, blockBytes: 128 }, mergeFanIn: 4 },
  'merges for any garbage, in many parts': {
    table: { ...TABLE, tableBytesMax: 1024, blockBytes: 128 },
    mergeFanIn: 2,
    mergeGarbagePercentBusy: 10,
    mergeGarbagePercentQuiet: 5,
    mergeQuietMs: 1,
  },
  'syncs at intervals': { walSync: 'interval' },
  'syncs of the operating system': { walSync: 'os' },
  'a log that freezes MemTables': { walLiveBytesMax: 48 * 1024, arenaBytes: 256 * 1024 },
  'a restart at each key, one bit per key': {
    table: { ...TABLE, restartInterval: 1, bloomBitsPerKey: 1 },
  },
  'long restart intervals and one spare segment': {
    table: { ...TABLE, restartInterval: 64, blockBytes: 4096 },
    walSparesMax: 1,
    walSegmentBytes: 32 * 1024,
  },
};
