/**
 * The disk that loses power, fills up and fails: native/chaos-disk.c, compiled when it is needed,
 * preloaded into the server, and its orders over a FIFO. The only file of the chaos tool that
 * touches the file system.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf, StormError } from '../base/errors.js';

const SOURCE = fileURLToPath(new URL('../../../native/chaos-disk.c', import.meta.url));
const COMPILERS = ['cc', 'gcc', 'clang'];
const FLAGS = ['-std=gnu11', '-O2', '-shared', '-fPIC', '-w'];

export type DiskOrder = 'drop all' | `drop some ${number}` | 'full on' | 'full off' | 'fail-sync';

export class DiskShim {
  /** What the server's environment needs; the data dir by its absolute path. */
  readonly env: Readonly<Record<string, string>>;
  readonly #control: string;

  private constructor(library: string, dataDir: string, control: string, undo: string) {
    this.#control = control;
    this.env = {
      LD_PRELOAD: library,
      CHAOS_DISK_DIR: dataDir,
      CHAOS_DISK_CONTROL: control,
      CHAOS_DISK_UNDO: undo,
    };
  }

  /**
   * Builds it in `dir`, which must be on the data dir's file system and not inside of it. Where
   * that is not possible, returns why.
   */
  static build(dir: string, dataDir: string): DiskShim | string {
    if (process.platform !== 'linux') return `there is no such library for ${process.platform}`;
    const library = join(dir, 'chaos-disk.so');
    const control = join(dir, 'orders');
    const undo = join(dir, 'undo');
    let reason = 'no C compiler was found (cc, gcc or clang)';
    const isBuilt = COMPILERS.some((compiler) => {
      const run = spawnSync(compiler, [...FLAGS, '-o', library, SOURCE, '-ldl', '-lpthread']);
      if (run.error === undefined && run.status !== 0) reason = String(run.stderr).trim();
      return run.status === 0;
    });
    if (!isBuilt) return reason;
    mkdirSync(undo);
    if (spawnSync('mkfifo', ['-m', '600', control]).status !== 0) return 'mkfifo failed';
    return new DiskShim(library, dataDir, control, undo);
  }

  /** Throws UNAVAILABLE when no server listens. */
  order(text: DiskOrder): void {
    try {
      const fd = openSync(this.#control, constants.O_WRONLY | constants.O_NONBLOCK);
      try {
        writeSync(fd, `${text}\n`);
      } finally {
        closeSync(fd);
      }
    } catch (cause) {
      const message = `The disk of the server takes no orders: ${messageOf(cause)}`;
      throw new StormError('UNAVAILABLE', message, { cause });
    }
  }
}

/** For the server of a run: sizes so small that flushes, merges and rotations never cease. */
export function writeServerConfig(dir: string): string {
  const path = join(dir, 'kv.config.json');
  const kib = 1024;
  const config = {
    limits: { valueBytesMax: 4 * kib, batchBytesMax: 32 * kib, batchEntriesMax: 16 },
    memory: { bytesMax: 32 * kib * kib },
    wal: { segmentBytes: 128 * kib, groupBytesMax: 64 * kib, liveBytesMax: 512 * kib },
    table: { bytesMax: 256 * kib },
    compaction: { fanIn: 2 },
    supervision: { restartBackoffMsMax: 200 },
    admin: { chaos: true },
    log: { level: 'warn' },
  };
  writeFileSync(path, JSON.stringify(config, undefined, 2));
  return path;
}
