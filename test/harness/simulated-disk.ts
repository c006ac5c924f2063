/**
 * A file system in memory that can lose power. It keeps what programs see apart from what is surely
 * on disk, and `crash` picks one of the legal states between the two, by seed. Any system call can
 * be made to fail, and a test can stop the world before any one of them.
 *
 * Cheap enough for thousands of crash states per second: pages are shared copy-on-write.
 */
import type {
  DiskSpace,
  FileHandle,
  FileStat,
  FileSystem,
  OpenMode,
} from '../../src/storage/file-system.js';
import { SeededRandom } from './seeded-random.js';
import { type CrashMode, SimulatedFile } from './simulated-file.js';
import { type DiskDoor, SimulatedHandle } from './simulated-handle.js';
import { SimulatedDirectory, SimulatedNamespace } from './simulated-namespace.js';
import {
  CHANGES_DISK,
  type Fault,
  FaultPlan,
  type Operation,
  type OperationKind,
  SimulatedCrash,
  zeroCounts,
} from './simulated-operations.js';
import { Digest } from './state-digest.js';
import { systemError } from './system-error.js';

export interface SimulatedDiskOptions {
  /** Writing more than this fails with ENOSPC after the part that fits; default 1 TiB. */
  quotaBytes?: number;
  /** A torn sector damages only the bytes being written; default false, the harsher one. */
  powerSafeOverwrite?: boolean;
  /** `map` returns a copy instead of undefined. */
  mapCopies?: boolean;
  /** Syncs return success and do nothing, like a disk that hides its cache. */
  lyingSync?: boolean;
  /**
   * A failed sync of a directory leaves its changes to the next one; default false, the harsher
   * one: they are never durable. File systems with a journal take no writes at all after such a
   * failure.
   */
  keepsUnsyncedNames?: boolean;
}

export class SimulatedDisk implements FileSystem {
  /** Called before each operation; it may throw a system error or a SimulatedCrash. */
  beforeOperation: ((operation: Operation) => void) | undefined;
  /** Called for each operation that takes place: lets time pass on a slow disk. */
  passTime: ((operation: Operation) => void) | undefined;
  /** Set to an array to record all operations. */
  trace: Operation[] | undefined;
  quotaBytes: number;
  lyingSync: boolean;
  /** Calls so far, by kind. */
  readonly counts: Record<OperationKind, number> = zeroCounts();
  /** Calls so far that change what a power loss may leave behind. */
  changeCount = 0;
  readonly #options: SimulatedDiskOptions;
  #names = new SimulatedNamespace();
  readonly #faults = new FaultPlan();
  #crashBefore = Number.POSITIVE_INFINITY;
  #moment = 0;
  /** Undefined until somebody asks after a crash. */
  #usedBytesKnown: number | undefined = 0;
  #openFiles = new Set<SimulatedFile>();
  #boot = 1;
  #down = false;

  constructor(options: SimulatedDiskOptions = {}) {
    this.#options = options;
    this.quotaBytes = options.quotaBytes ?? 2 ** 40;
    this.lyingSync = options.lyingSync ?? false;
  }

  /** Stops the world before the n-th change from now on, counted from 1. */
  crashBeforeChange(n: number): void {
    this.#crashBefore = this.changeCount + n;
  }

  fail(fault: Fault): void {
    this.#faults.add(fault);
  }

  clearFaults(): void {
    this.#faults.clear();
    this.#crashBefore = Number.POSITIVE_INFINITY;
  }

  /** Everything so far becomes durable, as if the machine had been idle for a minute. */
  syncAll(): void {
    this.#names.syncAll();
  }

  /**
   * The power fails and comes back: one legal state of the disk, picked by the seed. Handles are
   * dead, planned faults and crashes are forgotten.
   */
  crash(seed: number | SeededRandom, mode: CrashMode = 'subset'): void {
    const random = typeof seed === 'number' ? new SeededRandom(seed) : seed;
    const moments = [this.#moment];
    let lastMoment = this.#moment;
    if (mode === 'prefix' || mode === 'all-but-one') {
      moments[0] = -1;
      this.#names.collectMoments(moments);
      lastMoment = random.pick(moments);
    }
    const powerSafeOverwrite = this.#options.powerSafeOverwrite ?? false;
    this.#names.settle({ mode, random, lastMoment, powerSafeOverwrite });
    this.processCrash();
  }

  /** The process dies, the machine lives: all that was written stays; handles are dead. */
  processCrash(): void {
    this.#boot++;
    this.#down = false;
    this.clearFaults();
    for (const file of this.#openFiles) file.opens = 0;
    this.#openFiles.clear();
    this.#usedBytesKnown = undefined;
  }

  /** The same disk at this moment, with neither handles nor faults nor hooks. */
  clone(): SimulatedDisk {
    const copy = new SimulatedDisk(this.#options);
    copy.quotaBytes = this.quotaBytes;
    copy.lyingSync = this.lyingSync;
    copy.#names = this.#names.clone();
    copy.#moment = this.#moment;
    copy.processCrash();
    return copy;
  }

  /** Whether a power loss has anything to decide. */
  get hasUnsynced(): boolean {
    return this.#names.hasUnsynced;
  }

  /** Files that are open; 0 when everybody has closed what they opened. */
  get openFileCount(): number {
    return this.#openFiles.size;
  }

  /** A key of the state: what programs see, and what a power loss would leave of it. */
  get digest(): number {
    const digest = new Digest();
    this.#names.digestInto(digest);
    return digest.key;
  }

  /** A copy of a file's content, past all faults and counters. */
  contentOf(path: string): Uint8Array {
    const file = this.#fileAt(path, 'contentOf');
    const bytes = new Uint8Array(file.size);
    file.read(bytes, 0, bytes.length, 0);
    return bytes;
  }

  /** Damages a file for good: its content becomes `bytes`, durably, past all faults. */
  replaceContent(path: string, bytes: Uint8Array): void {
    const file = this.#fileAt(path, 'replaceContent');
    this.#usedBytes -= file.allocatedBytes;
    file.truncate(0, this.#moment);
    file.write(bytes, 0, this.#moment);
    file.sync();
    this.#usedBytes += file.allocatedBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get #usedBytes(): number {
    if (this.#usedBytesKnown === undefined) {
      this.#usedBytesKnown = 0;
      for (const file of this.#names.files()) this.#usedBytesKnown += file.allocatedBytes;
    }
    return this.#usedBytesKnown;
  }

  set #usedBytes(bytes: number) {
    this.#usedBytesKnown = bytes;
  }

  open(path: string, mode: OpenMode): FileHandle {
    this.#enter({ kind: 'open', path, mode });
    const { dir, name, node } = this.#names.place(path, 'open');
    if (node instanceof SimulatedDirectory) throw systemError('EISDIR', 'open', path);
    if (mode === 'create' && node !== undefined) throw systemError('EEXIST', 'open', path);
    if (mode !== 'create' && node === undefined) throw systemError('ENOENT', 'open', path);
    const file = node ?? new SimulatedFile();
    if (node === undefined) this.#names.change(this.#moment, [{ dir, name, node: file }]);
    file.opens++;
    this.#openFiles.add(file);
    return new SimulatedHandle(this.#doorTo(file), file, path, mode !== 'read');
  }

  list(dir: string): string[] {
    this.#enter({ kind: 'list', path: dir });
    const names = [...this.#names.directory(dir, 'list').entries.keys()];
    return names.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }

  stat(path: string): FileStat | undefined {
    this.#enter({ kind: 'stat', path });
    const node = this.#names.find(path, 'stat');
    if (node === undefined) return undefined;
    if (node instanceof SimulatedDirectory) return { kind: 'directory', sizeBytes: 0 };
    return { kind: 'file', sizeBytes: node.size };
  }

  makeDir(path: string): void {
    this.#enter({ kind: 'makeDir', path });
    this.#names.makeDirectories(path, this.#moment);
  }

  rename(from: string, to: string): void {
    this.#enter({ kind: 'rename', path: from, to });
    const source = this.#names.place(from, 'rename');
    const target = this.#names.place(to, 'rename');
    if (source.node === undefined) throw systemError('ENOENT', 'rename', from);
    if (target.node === source.node) return;
    if (target.node instanceof SimulatedDirectory) throw systemError('EISDIR', 'rename', to);
    this.#names.change(this.#moment, [
      { dir: target.dir, name: target.name, node: source.node },
      { dir: source.dir, name: source.name, node: undefined },
    ]);
    if (target.node !== undefined) this.#freeIfUnused(target.node);
  }

  link(existing: string, to: string): void {
    this.#enter({ kind: 'link', path: existing, to });
    const node = this.#fileAt(existing, 'link');
    const target = this.#names.place(to, 'link');
    if (target.node !== undefined) throw systemError('EEXIST', 'link', to);
    this.#names.change(this.#moment, [{ dir: target.dir, name: target.name, node }]);
  }

  remove(path: string): void {
    this.#enter({ kind: 'remove', path });
    const { dir, name, node } = this.#names.place(path, 'remove');
    if (node === undefined) throw systemError('ENOENT', 'remove', path);
    if (node instanceof SimulatedDirectory) throw systemError('EISDIR', 'remove', path);
    this.#names.change(this.#moment, [{ dir, name, node: undefined }]);
    this.#freeIfUnused(node);
  }

  removeDir(path: string): void {
    this.#enter({ kind: 'remove', path });
    const { dir, name, node } = this.#names.place(path, 'removeDir');
    if (node === undefined) throw systemError('ENOENT', 'removeDir', path);
    if (!(node instanceof SimulatedDirectory)) throw systemError('ENOTDIR', 'removeDir', path);
    if (node.entries.size > 0) throw systemError('ENOTEMPTY', 'removeDir', path);
    this.#names.change(this.#moment, [{ dir, name, node: undefined }]);
  }

  syncDir(dir: string): void {
    const node = this.#names.directory(dir, 'syncDir');
    try {
      this.#enter({ kind: 'syncDir', path: dir });
    } catch (error) {
      const isLost = !(error instanceof SimulatedCrash) && !this.#options.keepsUnsyncedNames;
      if (isLost) this.#names.loseUnsynced(node);
      throw error;
    }
    if (!this.lyingSync) this.#names.sync(node);
  }

  space(dir: string): DiskSpace {
    this.#enter({ kind: 'space', path: dir });
    const freeBytes = Math.max(0, this.quotaBytes - this.#usedBytes);
    return { freeBytes, totalBytes: this.quotaBytes };
  }

  /** What handles need of the disk; everything else about it stays private. */
  #doorTo(file: SimulatedFile): DiskDoor {
    const boot = this.#boot;
    return {
      enter: (operation) => this.#enter(operation),
      isAlive: () => boot === this.#boot,
      write: (bytes, position, path) => this.#write(file, bytes, position, path),
      truncate: (size) => {
        this.#usedBytes -= file.allocatedBytes;
        file.truncate(size, this.#moment);
        this.#usedBytes += file.allocatedBytes;
      },
      sync: () => {
        if (!this.lyingSync) file.sync();
      },
      mapCopies: this.#options.mapCopies ?? false,
      closed: () => {
        file.opens--;
        if (file.opens === 0) this.#openFiles.delete(file);
        this.#freeIfUnused(file);
      },
    };
  }

  #write(file: SimulatedFile, bytes: Uint8Array, position: number, path: string): void {
    let fitting = bytes.length;
    while (fitting > 0 && this.#usedBytes + file.growthOf(position, fitting) > this.quotaBytes) {
      fitting = Math.max(0, fitting - 512);
    }
    this.#usedBytes += file.growthOf(position, fitting);
    if (fitting > 0) file.write(bytes.subarray(0, fitting), position, this.#moment);
    if (fitting < bytes.length) throw systemError('ENOSPC', 'write', path);
  }

  #freeIfUnused(file: SimulatedFile): void {
    if (file.links === 0 && file.opens === 0) this.#usedBytes -= file.allocatedBytes;
  }

  #fileAt(path: string, operation: string): SimulatedFile {
    const node = this.#names.find(path, operation);
    if (node === undefined) throw systemError('ENOENT', operation, path);
    if (node instanceof SimulatedDirectory) throw systemError('EISDIR', operation, path);
    return node;
  }

  #enter(operation: Operation): void {
    if (this.#down) throw new SimulatedCrash();
    const { kind } = operation;
    this.#moment++;
    this.counts[kind]++;
    if (CHANGES_DISK[kind]) this.changeCount++;
    this.trace?.push(operation);
    try {
      if (this.changeCount === this.#crashBefore) throw new SimulatedCrash();
      this.beforeOperation?.(operation);
    } catch (error) {
      if (error instanceof SimulatedCrash) this.#down = true;
      throw error;
    }
    this.passTime?.(operation);
    this.#faults.raise(operation);
  }
}
