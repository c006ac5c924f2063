/** Makes files cold: asks the system to forget what it has cached of them. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let gc: (() => void) | undefined;

/** As a shard's thread does when tables were dropped; their maps go on the next turn. */
export function collectGarbage(): void {
  if (gc === undefined) {
    setFlagsFromString('--expose-gc');
    const exposed: unknown = runInNewContext('gc');
    gc = typeof exposed === 'function' ? () => void exposed() : () => {};
  }
  gc();
}

/** Lets the maps of tables go that nothing refers to any more. */
export async function releaseMaps(): Promise<void> {
  // What a collection finds is released on a turn of the event loop.
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await sleep(10);
  }
}

/** True when every file of the folder is out of the page cache. They must not be mapped. */
export function dropFileCache(dir: string): boolean {
  try {
    if (readFileSync('/proc/self/maps', 'utf8').includes(dir)) return false;
    for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      // GNU dd tells the system that it will not need the file, and reads nothing of it.
      const input = `if=${join(entry.parentPath, entry.name)}`;
      execFileSync('dd', [input, 'iflag=nocache', 'count=0', 'status=none']);
    }
    return true;
  } catch {
    return false;
  }
}
