/**
 * The disk as one simulated thread sees it. Each call is a yield point and a place where the thread
 * may be killed; what a dead thread had open is closed, as the system does it.
 */
import type {
  DiskSpace,
  FileHandle,
  FileStat,
  FileSystem,
  OpenMode,
} from '../../src/storage/file-system.js';
import type { SimulatedDisk } from '../harness/simulated-disk.js';
import { SimulatedCrash } from '../harness/simulated-operations.js';
import type { Scheduler, SimThread } from './scheduler.js';

/** Thrown by every call of a thread that was killed. */
export class ThreadKilled extends Error {
  override readonly name = 'ThreadKilled';
}

export class ThreadDisk implements FileSystem {
  readonly #disk: SimulatedDisk;
  readonly #scheduler: Scheduler;
  readonly #thread: SimThread;
  readonly #open = new Set<FileHandle>();
  /** Called before the thread dies within a call. */
  readonly #onKill: () => void;
  #killIn = 0;
  /** The machine went down during a call. */
  isDown = false;

  constructor(
    disk: SimulatedDisk,
    scheduler: Scheduler,
    thread: SimThread,
    onKill: () => void = () => {},
  ) {
    this.#disk = disk;
    this.#scheduler = scheduler;
    this.#thread = thread;
    this.#onKill = onKill;
  }

  /** Kills the thread at the n-th call from now on, counted from 1. */
  killAt(n: number): void {
    this.#killIn = n;
  }

  /** As the system does when a thread is gone. */
  closeAll(): void {
    for (const handle of this.#open) handle.close();
    this.#open.clear();
  }

  open(path: string, mode: OpenMode): FileHandle {
    const handle = this.call(() => this.#disk.open(path, mode));
    this.#open.add(handle);
    return new ThreadHandle(this, handle, this.#open);
  }

  list(dir: string): string[] {
    return this.call(() => this.#disk.list(dir));
  }

  stat(path: string): FileStat | undefined {
    return this.call(() => this.#disk.stat(path));
  }

  makeDir(path: string): void {
    this.call(() => this.#disk.makeDir(path));
  }

  rename(from: string, to: string): void {
    this.call(() => this.#disk.rename(from, to));
  }

  link(existing: string, to: string): void {
    this.call(() => this.#disk.link(existing, to));
  }

  remove(path: string): void {
    this.call(() => this.#disk.remove(path));
  }

  removeDir(path: string): void {
    this.call(() => this.#disk.removeDir(path));
  }

  syncDir(dir: string): void {
    this.call(() => this.#disk.syncDir(dir));
  }

  space(dir: string): DiskSpace {
    return this.call(() => this.#disk.space(dir));
  }

  call<T>(work: () => T): T {
    if (this.#thread.isDead) throw new ThreadKilled();
    if (this.#killIn > 0 && --this.#killIn === 0) {
      this.#onKill();
      this.#thread.isDead = true;
      throw new ThreadKilled();
    }
    this.#scheduler.yieldPoint();
    try {
      return work();
    } catch (error) {
      if (error instanceof SimulatedCrash) this.isDown = true;
      throw error;
    }
  }
}

class ThreadHandle implements FileHandle {
  readonly path: string;
  readonly #disk: ThreadDisk;
  readonly #handle: FileHandle;
  readonly #open: Set<FileHandle>;

  constructor(disk: ThreadDisk, handle: FileHandle, open: Set<FileHandle>) {
    this.#disk = disk;
    this.#handle = handle;
    this.#open = open;
    this.path = handle.path;
  }

  readAt(target: Uint8Array, offset: number, length: number, position: number): number {
    return this.#disk.call(() => this.#handle.readAt(target, offset, length, position));
  }

  writeAt(source: Uint8Array, offset: number, length: number, position: number): void {
    this.#disk.call(() => this.#handle.writeAt(source, offset, length, position));
  }

  sizeBytes(): number {
    return this.#disk.call(() => this.#handle.sizeBytes());
  }

  truncate(sizeBytes: number): void {
    this.#disk.call(() => this.#handle.truncate(sizeBytes));
  }

  syncData(): void {
    this.#disk.call(() => this.#handle.syncData());
  }

  map(): Uint8Array | undefined {
    return this.#disk.call(() => this.#handle.map());
  }

  close(): void {
    this.#open.delete(this.#handle);
    this.#handle.close();
  }
}
