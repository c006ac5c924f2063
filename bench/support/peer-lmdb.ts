/** LMDB through lmdb-js: the only file of the benches that imports it. */
import { open } from 'lmdb';
import { KEY_BYTES, KeyStream, sampleValue } from './storm-keys.js';

/**
 * Writes batches as transactions; a promise resolves when its transaction is committed and synced.
 */
export class LmdbStore {
  readonly #db: ReturnType<typeof open<Buffer, Buffer>>;
  readonly #keys: KeyStream;
  readonly #entries: { key: Buffer; value: Buffer }[];

  constructor(dir: string, batchEntries: number, seed: number) {
    this.#db = open<Buffer, Buffer>({
      path: dir,
      keyEncoding: 'binary',
      encoding: 'binary',
      // A commit then returns when it is synced, instead of before.
      overlappingSync: false,
    });
    this.#keys = new KeyStream(seed);
    this.#entries = Array.from({ length: batchEntries }, (_, i) => ({
      key: Buffer.alloc(KEY_BYTES),
      value: Buffer.from(sampleValue(i)),
    }));
  }

  write(): Promise<unknown> {
    return this.#db.batch(() => {
      for (const { key, value } of this.#entries) {
        this.#keys.writeKey(key, 0);
        // Keys and values are copied by the call.
        void this.#db.put(key, value);
      }
    });
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}
