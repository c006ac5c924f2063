/** LevelDB through classic-level: the only file of the benches that imports it. */
import { ClassicLevel } from 'classic-level';
import { KEY_BYTES, KeyStream, sampleValue } from './storm-keys.js';

export type LevelStore = ClassicLevel<Buffer, Buffer>;

export async function openLevel(
  dir: string,
  options: { writeBufferSize?: number; cacheSize?: number } = {},
): Promise<LevelStore> {
  const encodings = { keyEncoding: 'buffer', valueEncoding: 'buffer' };
  const db = new ClassicLevel<Buffer, Buffer>(dir, { ...encodings, ...options });
  await db.open();
  return db;
}

/** Batches whose keys are made anew each time, one set of buffers for each batch outstanding. */
export class LevelBatches {
  readonly #operations: { type: 'put'; key: Buffer; value: Buffer }[][];
  readonly #keys: KeyStream;

  constructor(outstanding: number, batchEntries: number, seed: number) {
    this.#keys = new KeyStream(seed);
    this.#operations = Array.from({ length: outstanding }, (_, lane) =>
      Array.from({ length: batchEntries }, (_, i) => ({
        type: 'put',
        key: Buffer.alloc(KEY_BYTES),
        value: Buffer.from(sampleValue(lane * batchEntries + i)),
      })),
    );
  }

  write(db: LevelStore, lane: number, sync: boolean): Promise<void> {
    const operations = this.#operations[lane] ?? [];
    for (const { key } of operations) this.#keys.writeKey(key, 0);
    return db.batch(operations, { sync });
  }
}
