/** A pass of the scrub over all shards, one after the other; from the main thread. */
import { StormError } from '../base/errors.js';
import type { ScrubPass } from '../rpc/shard-operations.js';
import type { BackupHost } from './backup-run.js';
import type { Report } from './tasks.js';

const LOOK_MS = 50;
const ATTEMPTS_MAX = 5;

export interface ScrubResult {
  bytes: number;
  /** Files and what is wrong with them. */
  damage: string[];
}

/** Rejects when a shard does not serve; damage is a result. */
export async function runScrubPass(
  host: Pick<BackupHost, 'shardCount' | 'ask' | 'pause'>,
  report: Report,
): Promise<ScrubResult> {
  const result: ScrubResult = { bytes: 0, damage: [] };
  for (let shard = 0; shard < host.shardCount; shard++) {
    const pass = await scrubShard(host, shard, ({ doneBytes, totalBytes }) =>
      report(result.bytes + doneBytes, result.bytes + Math.max(doneBytes, totalBytes)),
    );
    result.bytes += pass.doneBytes;
    result.damage.push(...pass.damage);
  }
  return result;
}

/** A shard that dies on the way is scrubbed anew. */
async function scrubShard(
  host: Pick<BackupHost, 'ask' | 'pause'>,
  shard: number,
  progress: (pass: ScrubPass) => void,
): Promise<ScrubPass> {
  for (let attempt = 1; ; attempt++) {
    try {
      let { pass } = await host.ask(shard, { kind: 'scrub' });
      while (!pass.isDone) {
        await host.pause(LOOK_MS);
        ({ pass } = await host.ask(shard, { kind: 'scrub-status', id: pass.id }));
        progress(pass);
      }
      return pass;
    } catch (error) {
      const isRetried =
        error instanceof StormError && ['UNAVAILABLE', 'NOT_FOUND'].includes(error.code);
      if (!isRetried || attempt === ATTEMPTS_MAX) throw error;
    }
    await host.pause(500 * attempt);
  }
}
