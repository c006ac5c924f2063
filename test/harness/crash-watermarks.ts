/**
 * Watches what the frames of the log say to have been durable: never more than was synced, and
 * where every group is synced, all that lies before them. A watermark that is stuck would turn
 * damage into the end of the log, without a word.
 */
import { FRAME_HEADER_BYTES, peekFrame } from '../../src/storage/log-frame.js';
import { SEGMENT_HEADER_BYTES } from '../../src/storage/wal-format.js';
import { Fault } from './crash-machine.js';
import type { SimulatedDisk } from './simulated-disk.js';
import type { Operation } from './simulated-operations.js';

export class Watermarks {
  readonly #disk: SimulatedDisk;
  readonly #isExact: boolean;
  /** By path: where the last write ended, and where the last one before a sync did. */
  readonly #written = new Map<string, number>();
  readonly #synced = new Map<string, number>();
  #frame: { path: string; position: number } | undefined;

  /** `isExact`: each frame is synced before the next one is written. */
  constructor(disk: SimulatedDisk, isExact: boolean) {
    this.#disk = disk;
    this.#isExact = isExact;
  }

  /** Is told of each operation before it happens; looks at the frame that was written last. */
  see({ kind, path, position = 0, length = 0 }: Operation): void {
    this.#judge();
    if (!path.endsWith('.seg')) return;
    if (kind === 'write') {
      this.#written.set(path, position + length);
      if (position >= SEGMENT_HEADER_BYTES) this.#frame = { path, position };
      else this.#synced.set(path, 0);
    }
    if (kind === 'sync') this.#synced.set(path, this.#written.get(path) ?? 0);
  }

  #judge(): void {
    if (this.#frame === undefined) return;
    const { path, position } = this.#frame;
    this.#frame = undefined;
    const bytes = this.#disk.contentOf(path).subarray(position, position + FRAME_HEADER_BYTES);
    const header = peekFrame(bytes, 0);
    if (header === undefined) return;
    const synced = this.#synced.get(path) ?? 0;
    const isHonest = header.syncedOffset <= synced;
    if (isHonest && (!this.#isExact || header.syncedOffset === position)) return;
    throw new Fault(
      `the watermark of the frame at ${position} of ${path} is ${header.syncedOffset}, ` +
        `synced was ${synced}`,
    );
  }
}
