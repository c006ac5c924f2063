/** Makes files cold: asks the system to forget what it has cached of them. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** True when every file of the folder is out of the page cache. They must not be mapped. */
export function dropFileCache(dir: string): boolean {
  try {
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
