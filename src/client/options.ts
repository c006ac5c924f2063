/** What a client can be told, its defaults and its bounds. */
import { parseAddress } from '../base/address.js';
import { StormError } from '../base/errors.js';
import type { ClientSecurity } from '../rpc/client-security.js';
import type { ReaderOptions } from './reader.js';
import type { WriterOptions } from './writer.js';

export interface ClientOptions {
  /** HOST:PORT of each server's gRPC door (or of each port of one server). */
  endpoints: readonly string[];
  /** Connections to each endpoint; 2 if absent. */
  connections?: number;
  /** Every operation settles within so many ms; 10,000 if absent. */
  deadlineMs?: number;
  /** Single writes wait so many ms for company; 0 if absent: to the end of the turn. */
  lingerMs?: number;
  /** Entries and bytes at which a batch goes at once; 1,000 and 262,144 if absent. */
  batchEntriesMax?: number;
  batchBytesMax?: number;
  /** Batches on their way on one connection; 8 if absent. */
  flightsMax?: number;
  /** Writes whose promises are not settled; more are refused. 200,000 if absent. */
  backlogEntriesMax?: number;
  /**
   * Repeats also writes whose outcome is unknown. A repeated write may undo what somebody else
   * wrote in between; choose it only where that cannot be or does not matter. False if absent.
   */
  retryUnknown?: boolean;
  /** Authorities, certificate and token; plain text and nobody in particular if absent. */
  security?: ClientSecurity;
}

export interface ResolvedOptions extends WriterOptions, ReaderOptions {
  endpoints: readonly string[];
  connections: number;
  flightsMax: number;
  security: ClientSecurity;
}

const BOUNDS = {
  connections: [2, 1, 64],
  deadlineMs: [10_000, 1, 3_600_000],
  lingerMs: [0, 0, 1000],
  batchEntriesMax: [1000, 1, 10_000],
  batchBytesMax: [262_144, 1024, 4 * 1024 * 1024],
  flightsMax: [8, 1, 256],
  backlogEntriesMax: [200_000, 1, 100_000_000],
} as const;
type Bounded = keyof typeof BOUNDS;
const NAMES = new Set(['endpoints', 'retryUnknown', 'security', ...Object.keys(BOUNDS)]);

/** Throws INVALID_ARGUMENT, naming what is wrong. */
export function resolveOptions(options: ClientOptions): ResolvedOptions {
  const unknown = Object.keys(options).filter((name) => !NAMES.has(name));
  if (unknown.length > 0) {
    throw invalid(`There is no option ${unknown.join(', ')}; there are ${[...NAMES].join(', ')}`);
  }
  if (!Array.isArray(options.endpoints) || options.endpoints.length === 0) {
    throw invalid("endpoints must name at least one server, like ['127.0.0.1:8081']");
  }
  for (const endpoint of options.endpoints) parseAddress(endpoint);
  const batchEntriesMax = bounded(options, 'batchEntriesMax');
  return {
    endpoints: [...options.endpoints],
    connections: bounded(options, 'connections'),
    deadlineMs: bounded(options, 'deadlineMs'),
    lingerMs: bounded(options, 'lingerMs'),
    batchEntriesMax,
    batchBytesMax: bounded(options, 'batchBytesMax'),
    flightsMax: bounded(options, 'flightsMax'),
    backlogEntriesMax: bounded(options, 'backlogEntriesMax'),
    retryUnknown: options.retryUnknown ?? false,
    batchKeysMax: batchEntriesMax,
    callsMax: 16,
    security: { ...options.security },
  };
}

function bounded(options: ClientOptions, name: Bounded): number {
  const [usual, min, max] = BOUNDS[name];
  const value = options[name] ?? usual;
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw invalid(`${name} must be a whole number from ${min} to ${max}: it is ${value}`);
}

function invalid(text: string): StormError {
  return new StormError('INVALID_ARGUMENT', text);
}
