import { slotOfKey } from '../../src/base/slot.js';
import {
  type Cluster,
  type PartialConfig,
  type StartOptions,
  startCluster,
} from '../../src/main.js';
import { equalSlotRanges } from '../../src/storage/root-manifest.js';

export const SILENT: StartOptions = { log: { write: () => {} } };
const KIB = 1024;

/** Two shards, ports of the system's choice, and sizes so small that a test reaches every bound. */
export function smallConfig(dir: string, shardCount = 2): PartialConfig {
  return {
    data: { dir },
    shards: { count: shardCount },
    grpc: { address: '127.0.0.1:0' },
    http: { address: '127.0.0.1:0' },
    limits: {
      keyBytesMax: 256,
      valueBytesMax: 64 * KIB,
      batchBytesMax: 128 * KIB,
      batchEntriesMax: 1000,
      drainMsMax: 2000,
    },
    memory: { bytesMax: 32 * KIB * KIB },
    wal: { segmentBytes: 512 * KIB, groupBytesMax: 128 * KIB, liveBytesMax: 1024 * KIB },
    table: { bytesMax: 256 * KIB },
    supervision: { restartBackoffMsMax: 200 },
  };
}

/** Starts a cluster and closes it whatever happens. */
export async function withCluster<T>(
  config: PartialConfig,
  body: (cluster: Cluster) => Promise<T>,
  options: StartOptions = SILENT,
): Promise<T> {
  const cluster = await startCluster(config, options);
  try {
    return await body(cluster);
  } finally {
    await cluster.close();
  }
}

/** HTTP status of a write. */
export async function put(cluster: Cluster, key: string, value: string): Promise<number> {
  const url = `http://${cluster.httpAddress}/kv/${encodeURIComponent(key)}`;
  const response = await fetch(url, { method: 'PUT', body: value });
  await response.arrayBuffer();
  return response.status;
}

/** The value, or the HTTP status where there is none. */
export async function get(cluster: Cluster, key: string): Promise<string | number> {
  const response = await fetch(`http://${cluster.httpAddress}/kv/${encodeURIComponent(key)}`);
  const body = await response.text();
  return response.status === 200 ? body : response.status;
}

export async function readiness(cluster: Cluster): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://${cluster.httpAddress}/readyz`);
  return { status: response.status, text: await response.text() };
}

/** The shard that a key belongs to. */
export function shardOf(key: string, shardCount: number): number {
  const bytes = Buffer.from(key);
  const slot = slotOfKey(bytes, 0, bytes.length);
  return equalSlotRanges(shardCount).findIndex(({ first, last }) => slot >= first && slot <= last);
}

/** Waits until a condition holds; the deadline is that of the test. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((soon) => setTimeout(soon, 2));
}
