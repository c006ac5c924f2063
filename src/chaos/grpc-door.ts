/** A door over gRPC: a few connections, used in turn. */
import { type GetResponse, KvClient, type ScanOptions, type SetExtras } from '../cli/kv-client.js';
import type { Door } from './door.js';

const CONNECTIONS = 4;

export class GrpcDoor implements Door {
  readonly life: number;
  readonly #clients: KvClient[];
  #turn = 0;

  constructor(life: number, target: string, timeoutMs: number, wallMs: () => number) {
    this.life = life;
    this.#clients = Array.from(
      { length: CONNECTIONS },
      () => new KvClient(target, timeoutMs, wallMs),
    );
  }

  /** The next connection in turn. */
  get client(): KvClient {
    this.#turn = (this.#turn + 1) % CONNECTIONS;
    // The index is always one of them.
    return this.#clients[this.#turn] as KvClient;
  }

  set(key: string, value: Uint8Array, extras: SetExtras) {
    return this.client.setVersioned(key, value, extras);
  }

  getVersioned(key: string): Promise<GetResponse | undefined> {
    return this.client.getVersioned(key);
  }

  delete(key: string, ifVersion?: number) {
    return this.client.delete(key, ifVersion);
  }

  batchSet(entries: { key: string; value: Uint8Array }[]) {
    return this.client.batchSet(entries);
  }

  scan(request: ScanOptions) {
    return this.client.scan(request);
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}
