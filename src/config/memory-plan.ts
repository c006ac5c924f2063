/**
 * Divides `memory.bytesMax` among what uses memory: the more shards and routers there are, the less
 * each gets; the sum stays. Pure.
 *
 *   rings    at most a quarter; per (router, shard) four of them, powers of two
 *   arenas   half of it; the MemTables' memory: at least two per shard, so that one fills while
 *            the other is flushed
 *   tables   the rest: indexes, bloom filters, caches
 *
 * The heap that every thread has besides, and the page cache under mapped tables, are not counted.
 */
import { assert } from '../base/assert.js';
import { StormError } from '../base/errors.js';
import type { Config } from './config.js';
import { KIB, MIB } from './option-table.js';

/** Capacities of the rings between one router and one shard. */
export interface RingSizes {
  writeRequestBytes: number;
  readRequestBytes: number;
  writeReplyBytes: number;
  readReplyBytes: number;
}

export interface MemoryPlan {
  rings: RingSizes;
  /** All rings of all links. */
  ringBytes: number;
  /** Size of one arena, a multiple of 1 MiB. */
  arenaBytes: number;
  arenaCount: number;
  /** For indexes, bloom filters and caches of all shards together. */
  tableBytes: number;
}

const ARENA_BYTES_MAX = 64 * MIB;
const ARENAS_PER_SHARD_MIN = 2;
const ARENAS_PER_SHARD_AIM = 3;
/** Room in a ring beside the payload: headers, and the key next to a value. */
const MESSAGE_OVERHEAD_BYTES = 4 * KIB;
const RING_BYTES_LEAST = 64 * KIB;
/** What rings get where there is memory enough, if they need no more. */
const RINGS_AIM: RingSizes = {
  writeRequestBytes: MIB,
  readRequestBytes: 256 * KIB,
  writeReplyBytes: 256 * KIB,
  readReplyBytes: MIB,
};
/**
 * Arena bytes per entry of a batch that are enough whatever the entries' size: an arena has at
 * least one index slot per 128 bytes and fills three quarters of them.
 */
const ARENA_BYTES_PER_ENTRY = 176;

/** Throws FAILED_PRECONDITION, with the arithmetic, when the budget is too small. */
export function planMemory(config: Config, shardCount: number, routerThreads: number): MemoryPlan {
  assert(shardCount >= 1 && routerThreads >= 1, 'there is a shard and a router');
  const { bytesMax } = config.memory;
  const links = shardCount * routerThreads;
  const ringsLeast = leastRings(config);
  const arenaLeast = leastArenaBytes(config);
  const least = leastBytesMax(ringsLeast, arenaLeast, shardCount, links);
  if (bytesMax < least) {
    throw tooSmall({ config, shardCount, routerThreads, ringsLeast, arenaLeast, least });
  }
  const rings = fitRings(ringsLeast, Math.floor(bytesMax / 4 / links));
  const ringBytes = links * sumOf(rings);
  const arenas = fitArenas(Math.floor(bytesMax / 2), arenaLeast, shardCount);
  const tableBytes = bytesMax - ringBytes - arenas.arenaCount * arenas.arenaBytes;
  return { rings, ringBytes, ...arenas, tableBytes };
}

function leastRings({ limits }: Config): RingSizes {
  return {
    writeRequestBytes: ringFor(limits.batchBytesMax),
    // A scan carries two bounds.
    readRequestBytes: ringFor(2 * limits.keyBytesMax),
    writeReplyBytes: RING_BYTES_LEAST,
    // A page of a scan answers at least one entry, key and value.
    readReplyBytes: ringFor(limits.keyBytesMax + limits.valueBytesMax),
  };
}

/** A frame may take half of a ring, so a ring holds the longest message twice. */
function ringFor(payloadBytesMax: number): number {
  const needed = 2 * (payloadBytesMax + MESSAGE_OVERHEAD_BYTES);
  return Math.max(RING_BYTES_LEAST, 2 ** Math.ceil(Math.log2(needed)));
}

/** A batch always fits an empty arena, with its index. */
function leastArenaBytes({ limits }: Config): number {
  const forBytes = 2 * limits.batchBytesMax + MIB;
  const forEntries = ARENA_BYTES_PER_ENTRY * limits.batchEntriesMax;
  const needed = roundUp(Math.max(forBytes, forEntries), MIB);
  assert(needed <= ARENA_BYTES_MAX, 'the options keep batches small enough for an arena');
  return needed;
}

function leastBytesMax(rings: RingSizes, arena: number, shards: number, links: number): number {
  const forRings = 4 * links * sumOf(rings);
  const forArenas = 2 * ARENAS_PER_SHARD_MIN * shards * arena;
  return roundUp(Math.max(forRings, forArenas), MIB);
}

/** Halves the largest ring that is larger than it must be until all fit. */
function fitRings(least: RingSizes, bytesMax: number): RingSizes {
  const rings = { ...least };
  for (const name of RING_NAMES) rings[name] = Math.max(least[name], RINGS_AIM[name]);
  while (sumOf(rings) > bytesMax) {
    let largest: keyof RingSizes | undefined;
    for (const name of RING_NAMES) {
      if (rings[name] === least[name]) continue;
      if (largest === undefined || rings[name] > rings[largest]) largest = name;
    }
    assert(largest !== undefined, 'the smallest rings fit');
    rings[largest] /= 2;
  }
  return rings;
}

const RING_NAMES = [
  'writeRequestBytes',
  'readRequestBytes',
  'writeReplyBytes',
  'readReplyBytes',
] as const;

function fitArenas(bytesMax: number, least: number, shardCount: number) {
  const share = Math.floor(bytesMax / (ARENAS_PER_SHARD_AIM * shardCount) / MIB) * MIB;
  const arenaBytes = Math.min(ARENA_BYTES_MAX, Math.max(least, share));
  const arenaCount = Math.floor(bytesMax / arenaBytes);
  assert(arenaCount >= ARENAS_PER_SHARD_MIN * shardCount, 'every shard has two arenas');
  return { arenaBytes, arenaCount };
}

interface Shortage {
  config: Config;
  shardCount: number;
  routerThreads: number;
  ringsLeast: RingSizes;
  arenaLeast: number;
  least: number;
}

function tooSmall(shortage: Shortage): StormError {
  const { config, shardCount, routerThreads, ringsLeast, arenaLeast, least } = shortage;
  const linkBytes = sumOf(ringsLeast);
  const ringBytes = routerThreads * shardCount * linkBytes;
  const arenaCount = ARENAS_PER_SHARD_MIN * shardCount;
  const lines = [
    `memory.bytesMax is too small for ${shardCount} shards and ${routerThreads} router threads:` +
      ` it must be at least ${least}, it is ${config.memory.bytesMax}`,
    `  rings:  ${routerThreads} routers × ${shardCount} shards × ${linkBytes} bytes = ` +
      `${ringBytes}, which may be a quarter: ${4 * ringBytes}`,
    `  arenas: ${ARENAS_PER_SHARD_MIN} × ${shardCount} shards × ${arenaLeast} bytes = ` +
      `${arenaCount * arenaLeast}, which is half: ${2 * arenaCount * arenaLeast}`,
    `Set memory.bytesMax to ${least} or more, or lower limits.batchBytesMax ` +
      `(${config.limits.batchBytesMax}), limits.valueBytesMax (${config.limits.valueBytesMax}), ` +
      'the shards of a new data dir, or router.threads',
  ];
  return new StormError('FAILED_PRECONDITION', lines.join('\n'));
}

function sumOf(rings: RingSizes): number {
  let sum = 0;
  for (const name of RING_NAMES) sum += rings[name];
  return sum;
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
