/** Probes: one key per shard, written until it is acknowledged. */
import { SLOT_COUNT, slotOfKey } from '../base/slot.js';
import type { DoorSource } from './door.js';

export interface ProbeOptions {
  readonly doors: DoorSource;
  readonly keys: readonly string[];
  readonly patienceMs: number;
  monotonicMs(): number;
  sleep(ms: number): Promise<void>;
  /** How many probes have had no answer so far. */
  onWaiting(count: number): void;
}

const RETRY_MS = 5;

/** A key for each of so many equal parts of the slots. */
export function probeKeys(prefix: string, shardCount: number): string[] {
  const keys: (string | undefined)[] = Array.from({ length: shardCount }, () => undefined);
  for (let i = 0, missing = shardCount; missing > 0; i++) {
    const key = `${prefix}probe/${i}`;
    const bytes = Buffer.from(key, 'utf8');
    const part = Math.floor((slotOfKey(bytes, 0, bytes.length) * shardCount) / SLOT_COUNT);
    if (keys[part] !== undefined) continue;
    keys[part] = key;
    missing--;
  }
  return keys.filter((key) => key !== undefined);
}

/** Resolves when every shard has acknowledged a write; false when one did not in time. */
export async function untilAllServe(options: ProbeOptions): Promise<boolean> {
  const { keys, monotonicMs, patienceMs, onWaiting } = options;
  const endMs = monotonicMs() + patienceMs;
  let waiting = keys.length;
  onWaiting(waiting);
  const served = await Promise.all(
    keys.map(async (key) => {
      const isServed = await probe(options, key, endMs);
      if (isServed) onWaiting(--waiting);
      return isServed;
    }),
  );
  onWaiting(0);
  return served.every((isServed) => isServed);
}

async function probe(options: ProbeOptions, key: string, endMs: number): Promise<boolean> {
  const { doors, monotonicMs, sleep } = options;
  for (;;) {
    try {
      const door = await doors.door();
      await door.set(key, Buffer.from(String(door.life)), {});
      return true;
    } catch {
      // A shard that recovers refuses; how long it does so is what is asked.
      if (monotonicMs() >= endMs) return false;
      await sleep(RETRY_MS);
    }
  }
}
