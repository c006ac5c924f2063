/** Loaded first by every thread of a server: each fdatasync takes SLOW_SYNC_MS longer. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const delayMs = Number(process.env['SLOW_SYNC_MS'] ?? 0);
const asleep = new Int32Array(new SharedArrayBuffer(4));
const { fdatasyncSync } = fs;

fs.fdatasyncSync = (fd) => {
  fdatasyncSync(fd);
  Atomics.wait(asleep, 0, 0, delayMs);
};
syncBuiltinESMExports();
