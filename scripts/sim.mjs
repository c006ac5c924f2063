#!/usr/bin/env node
// Simulates the whole service by seed, on one thread. Build first.
// Usage: npm run sim -- --seed N [--trace]      replays one seed, with a readable trace
//        npm run sim -- [--from N] [--to M]     a range; goes on where --from says
//        --operations N                         of each seed, 5000 by default
// Ends with `RIG simulation {…}` for a range; exit 1 when a seed fails.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = resolve(import.meta.dirname ?? '.', '..');
const main = join(root, process.env.TEST_DIST ?? 'dist', 'test/sim/main.js');
if (!existsSync(main)) {
  console.error('The simulation is not built. Build first: npm run build');
  process.exit(1);
}
await import(pathToFileURL(main).href);
