/** A result of a run that never was. */
import { StormError } from '../../src/base/errors.js';
import type { ChaosResult } from '../../src/chaos/run-chaos.js';
import { Timeline } from '../../src/chaos/timeline.js';

export function madeUpResult(changes: Partial<ChaosResult> = {}): ChaosResult {
  const timeline = new Timeline(0);
  for (let ms = 0; ms < 60_000; ms += 20) {
    const isDown = ms % 20_000 > 15_000 && ms % 20_000 < 16_500;
    if (isDown) timeline.failed(ms, 'unknown', new StormError('UNAVAILABLE', 'The shard died'));
    else timeline.answered(ms, 4 + Math.abs(Math.sin(ms / 3000)) * 8, 40);
  }
  timeline.began('power-loss', 15_000).recoveredMs = 1500;
  timeline.began('shard-kill', 35_000).recoveredMs = 400;
  timeline.began('disk-full', 55_000);
  return {
    seed: 7,
    shards: 3,
    isInterrupted: false,
    histories: 12,
    kills: 2,
    operations: 60_000,
    acknowledged: timeline.total.writes,
    elapsedMs: 60_000,
    judgingMs: 900,
    timeline,
    violations: [],
    ...changes,
  };
}
