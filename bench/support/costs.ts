/** What a stretch of work has cost this process: time, CPU of all its threads, bytes written. */
import { readFileSync } from 'node:fs';

export interface Costs {
  seconds: number;
  cpuSeconds: number;
  /**
   * Bytes that the machine's disks were given to write, by anybody: the system's count per process
   * counts whole large pages for small changes. Undefined where it does not say.
   */
  diskBytes: number | undefined;
}

const SECTOR_BYTES = 512;

/** Starts measuring; the function tells the costs since then. */
export function startCosts(): () => Costs {
  const cpu = process.cpuUsage();
  const disk = diskBytes();
  const started = performance.now();
  return () => {
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const now = diskBytes();
    return {
      seconds,
      cpuSeconds: (user + system) / 1e6,
      diskBytes: now === undefined || disk === undefined ? undefined : now - disk,
    };
  };
}

function diskBytes(): number | undefined {
  try {
    let sectors = 0;
    for (const line of readFileSync('/proc/diskstats', 'utf8').split('\n')) {
      const fields = line.trim().split(/\s+/);
      // Whole disks only: a partition's writes are its disk's as well.
      if (/^(?:[svx]d[a-z]+|nvme\d+n\d+)$/.test(fields[2] ?? '')) sectors += Number(fields[9]);
    }
    return sectors * SECTOR_BYTES;
  } catch {
    return undefined;
  }
}
