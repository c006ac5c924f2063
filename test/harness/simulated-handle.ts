/** An open file of the simulated disk. It dies with the boot that opened it. */
import type { FileHandle } from '../../src/storage/file-system.js';
import type { SimulatedFile } from './simulated-file.js';
import { type Operation, SimulatedCrash } from './simulated-operations.js';
import { systemError } from './system-error.js';

/** What a handle needs of its disk; everything else about the disk stays private. */
export interface DiskDoor {
  enter(operation: Operation): void;
  isAlive(): boolean;
  write(bytes: Uint8Array, position: number, path: string): void;
  truncate(size: number): void;
  sync(): void;
  readonly mapCopies: boolean;
  closed(): void;
}

export class SimulatedHandle implements FileHandle {
  readonly path: string;
  readonly #disk: DiskDoor;
  readonly #file: SimulatedFile;
  readonly #writable: boolean;
  #closed = false;

  constructor(disk: DiskDoor, file: SimulatedFile, path: string, writable: boolean) {
    this.#disk = disk;
    this.#file = file;
    this.path = path;
    this.#writable = writable;
  }

  readAt(target: Uint8Array, offset: number, length: number, position: number): number {
    checkRange(target, offset, length, position);
    const wanted = this.#shortened({ kind: 'read', path: this.path, position, length });
    return this.#file.read(target, offset, wanted, position);
  }

  writeAt(source: Uint8Array, offset: number, length: number, position: number): void {
    checkRange(source, offset, length, position);
    if (length === 0) return;
    const count = this.#shortened({ kind: 'write', path: this.path, position, length });
    if (!this.#writable) throw systemError('EBADF', 'write', this.path);
    this.#disk.write(source.subarray(offset, offset + count), position, this.path);
    if (count < length) throw systemError('EIO', 'write', this.path);
  }

  /** Enters the operation; half of its length where a SHORT fault is due. */
  #shortened(operation: Operation & { length: number }): number {
    try {
      this.#enter(operation);
      return operation.length;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'SHORT')) throw error;
      return Math.floor(operation.length / 2);
    }
  }

  sizeBytes(): number {
    this.#enter({ kind: 'size', path: this.path });
    return this.#file.size;
  }

  truncate(sizeBytes: number): void {
    this.#enter({ kind: 'truncate', path: this.path });
    if (!this.#writable) throw systemError('EINVAL', 'truncate', this.path);
    this.#disk.truncate(sizeBytes);
  }

  syncData(): void {
    try {
      this.#enter({ kind: 'sync', path: this.path });
    } catch (error) {
      if (!(error instanceof SimulatedCrash)) this.#file.loseUnsynced();
      throw error;
    }
    this.#disk.sync();
  }

  map(): Uint8Array | undefined {
    this.#enter({ kind: 'map', path: this.path });
    if (!this.#disk.mapCopies || this.#file.size === 0) return undefined;
    const copy = new Uint8Array(this.#file.size);
    this.#file.read(copy, 0, copy.length, 0);
    return copy;
  }

  /** Never fails, not even on a dead machine: clean-up code must not hide the crash. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#disk.isAlive()) this.#disk.closed();
  }

  #enter(operation: Operation): void {
    if (this.#closed) throw systemError('EBADF', operation.kind, this.path);
    if (!this.#disk.isAlive()) throw new SimulatedCrash(`Handle of an earlier life: ${this.path}`);
    this.#disk.enter(operation);
  }
}

function checkRange(bytes: Uint8Array, offset: number, length: number, position: number): void {
  const fits = offset >= 0 && length >= 0 && offset + length <= bytes.length;
  if (fits && Number.isSafeInteger(position) && position >= 0) return;
  throw new RangeError(
    `Bad range: ${length} bytes at ${offset} of ${bytes.length}, to ${position}`,
  );
}
