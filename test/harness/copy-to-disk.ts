import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SimulatedDisk } from './simulated-disk.js';

/** Copies a folder of a simulated disk, with all that is in it, to a new one on the real disk. */
export function copyToDisk(from: SimulatedDisk, path: string, to: string): void {
  mkdirSync(to);
  for (const name of from.list(path)) {
    const source = `${path}/${name}`;
    if (from.stat(source)?.kind === 'directory') copyToDisk(from, source, join(to, name));
    else writeFileSync(join(to, name), from.contentOf(source));
  }
}
