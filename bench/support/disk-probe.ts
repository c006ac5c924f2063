/** What an fdatasync costs on the disk at hand, as a shard does it: into a segment that exists. */
import { closeSync, fdatasyncSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { percentile } from './bench-engine.js';

const SEGMENT_BYTES = 16 * 1024 * 1024;
const GROUP_BYTES = 256 * 1024;
const SYNCS = 64;

/** The median of some, in ms; in the folder given, which is left as it was. */
export function probeSyncMs(dir: string): number {
  const path = `${dir}/probe`;
  const fd = openSync(path, 'wx');
  try {
    writeSync(fd, Buffer.alloc(SEGMENT_BYTES), 0, SEGMENT_BYTES, 0);
    fsyncSync(fd);
    const group = Buffer.alloc(GROUP_BYTES, 1);
    const taken = Array.from({ length: SYNCS }, (_, i) => {
      writeSync(fd, group, 0, GROUP_BYTES, i * GROUP_BYTES);
      const started = performance.now();
      fdatasyncSync(fd);
      return performance.now() - started;
    });
    return percentile(taken, 0.5);
  } finally {
    closeSync(fd);
    rmSync(path);
  }
}
