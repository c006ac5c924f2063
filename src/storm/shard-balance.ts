/** How a storm spreads over the shards, from the counters that the server gives out. */
import type { ClusterStats, ShardSituation } from '../rpc/admin-operations.js';
import { PRESSURE_STATES } from '../rpc/shard-stats.js';

export interface ShardShare {
  /** `0`, or `2/0` where there are several servers. */
  name: string;
  /** Entries written since the beginning. */
  entries: number;
  /** Of all entries. */
  share: number;
  /** Entries refused, and ms that writes waited by pressure, since the beginning. */
  refused: number;
  delayedMs: number;
  /** The worst pressure that was seen. */
  pressure: string;
  /** Lives that ended since the beginning. */
  restarts: number;
}

interface Seen {
  readonly first: ShardSituation;
  last: ShardSituation;
  pressure: number;
}

export class ShardBalance {
  readonly #seen = new Map<string, Seen>();
  #before = new Map<string, number>();
  #beforeMs = 0;
  /** Entries per second since the look before, by shard in order; empty at first. */
  rates: number[] = [];

  /** One look at all servers; those that did not answer are undefined. */
  look(nowMs: number, servers: readonly (ClusterStats | undefined)[]): void {
    const rates: number[] = [];
    const now = new Map<string, number>();
    for (const [name, shard] of namedShards(servers)) {
      const entries = shard.counters.writeEntriesTotal;
      now.set(name, entries);
      const before = this.#before.get(name);
      // A restarted server counts from 0.
      if (before !== undefined && nowMs > this.#beforeMs) {
        rates.push((Math.max(0, entries - before) * 1000) / (nowMs - this.#beforeMs));
      }
      const pressure = shard.counters.pressureState;
      const seen = this.#seen.get(name);
      if (seen === undefined) this.#seen.set(name, { first: shard, last: shard, pressure });
      else {
        seen.last = shard;
        seen.pressure = Math.max(seen.pressure, pressure);
      }
    }
    if (now.size === 0) return;
    this.rates = rates;
    this.#before = now;
    this.#beforeMs = nowMs;
  }

  get shares(): ShardShare[] {
    const shares = [...this.#seen].map(([name, seen]) => shareOf(name, seen));
    const total = shares.reduce((sum, { entries }) => sum + entries, 0);
    for (const share of shares) share.share = total === 0 ? 0 : share.entries / total;
    return shares;
  }
}

/** How much more than the mean the busiest shard has; 1 = all have the same. */
export function imbalanceOf(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  const most = values.reduce((max, value) => Math.max(max, value), 0);
  return sum === 0 ? 1 : (most * values.length) / sum;
}

/** Several addresses may lead to one server. */
function namedShards(
  servers: readonly (ClusterStats | undefined)[],
): readonly [string, ShardSituation][] {
  const known = new Set<string>();
  const distinct = servers.filter((stats) => {
    if (stats === undefined) return true;
    const id = `${stats.process.pid} ${stats.bounds.diskTotalBytes} ${stats.shards.length}`;
    if (known.has(id)) return false;
    known.add(id);
    return true;
  });
  const isOne = distinct.length === 1;
  return distinct.flatMap((stats, server) =>
    (stats?.shards ?? []).map((shard): [string, ShardSituation] => [
      isOne ? `${shard.shard}` : `${server}/${shard.shard}`,
      shard,
    ]),
  );
}

function shareOf(name: string, { first, last, pressure }: Seen): ShardShare {
  const grown = (counter: 'writeEntriesTotal' | 'writesRefusedTotal' | 'delayedMsTotal') => {
    const [before = 0, now = 0] = [first.counters[counter], last.counters[counter]];
    return now >= before ? now - before : now;
  };
  return {
    name,
    entries: grown('writeEntriesTotal'),
    share: 0,
    refused: grown('writesRefusedTotal'),
    delayedMs: grown('delayedMsTotal'),
    pressure: PRESSURE_STATES[pressure] ?? 'none',
    restarts: Math.max(0, last.epoch - first.epoch),
  };
}
