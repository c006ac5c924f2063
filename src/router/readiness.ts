/** What /readyz says: whether to send calls here, and if not, why. Pure. */
import { PRESSURE_STATES, type ShardStats } from '../rpc/shard-stats.js';
import type { RouterStatus, ShardStatus } from './router-types.js';

export interface Readiness extends Omit<RouterStatus, 'inFlight'> {
  /** Why it is not ready, a sentence each; empty when it is. */
  reasons: string[];
  /**
   * What an operator should look at although it is ready. A full disk is here: reads are served,
   * and no other server has the data; writes say themselves why they are refused.
   */
  warnings: string[];
}

const REFUSING = PRESSURE_STATES.indexOf('refusing');

/** `stats` by shard; none = nothing is known of writes. */
export function readinessOf(status: RouterStatus, stats: readonly ShardStats[]): Readiness {
  const reasons = status.shards.filter(({ state }) => state !== 'up').map(reasonOf);
  if (status.draining) reasons.unshift('the server is stopping');
  const warnings = stats.flatMap((counters, shard) =>
    counters.get('pressureState') === REFUSING
      ? [`shard ${shard} refuses writes, because background work fails: is the disk full?`]
      : [],
  );
  const { ready, draining, shards } = status;
  return { ready, draining, reasons, warnings, shards };
}

function reasonOf({ shard, state, reason }: ShardStatus): string {
  if (state === 'refused') return `shard ${shard} does not serve its data: ${reason}`;
  if (reason === STARTING) return `shard ${shard} recovers its data`;
  return `shard ${shard} is down and will be back: ${reason}`;
}

/** The reason of a shard that has not served yet. */
export const STARTING = 'starting';
