/**
 * A file system of a test's own: a tmpfs, so that its free space is that test's alone, and small
 * enough to fill. Mounting needs root, or a user namespace of one's own.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NAMESPACE_MARK = 'STORMKV_TEST_NAMESPACE';

/**
 * Calls `body` with a folder on a fresh disk of that size and unmounts it afterwards. Where that is
 * not possible, returns why, without calling it.
 */
export async function withSmallDisk(
  sizeBytes: number,
  body: (dir: string) => Promise<void>,
): Promise<string | undefined> {
  const dir = mkdtempSync(join(tmpdir(), 'stormkv-disk-'));
  try {
    const options = `size=${sizeBytes},mode=0700`;
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'stormkv-test', dir]);
    if (mounted.status !== 0) {
      return `no tmpfs can be mounted: ${mounted.error?.message ?? mounted.stderr.toString().trim()}`;
    }
    try {
      await body(dir);
    } finally {
      // Lazily where something still holds it, like a map that no collector has dropped.
      if (spawnSync('umount', [dir]).status !== 0) spawnSync('umount', ['-l', dir]);
    }
    return undefined;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * For a test file's first line: where this user cannot mount, runs the file again in a user
 * namespace where it can, and ends with that run's exit code. Returns where it makes no difference.
 */
export function enterMountNamespace(moduleUrl: string): void {
  if (process.getuid?.() === 0 || process.env[NAMESPACE_MARK] !== undefined) return;
  if (spawnSync('unshare', ['-rm', 'true']).status !== 0) return;
  const args = ['-rm', process.execPath, ...process.execArgv, fileURLToPath(moduleUrl)];
  const env = { ...process.env, [NAMESPACE_MARK]: '1' };
  process.exit(spawnSync('unshare', args, { env, stdio: 'inherit' }).status ?? 1);
}

export function usedBytes(dir: string): number {
  const { blocks, bfree, bsize } = statfsSync(dir);
  return (blocks - bfree) * bsize;
}

/** Takes all space that is left on the disk of `dir`, in a file of that name. */
export function fillDisk(dir: string, name: string): void {
  const fd = openSync(join(dir, name), 'wx');
  try {
    const bytes = Buffer.alloc(64 * 1024);
    // Halves, because the last write that fits may be a small one.
    for (let size = bytes.length; size >= 512; ) {
      try {
        writeSync(fd, bytes, 0, size);
      } catch {
        size /= 2;
      }
    }
  } finally {
    closeSync(fd);
  }
}
