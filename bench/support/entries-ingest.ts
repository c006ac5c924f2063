/** Ingest as a client of any language does it: SetRequests, encoded one by one. */
import { setTimeout as rest } from 'node:timers/promises';
import { openChannel } from '../../src/client/channel.js';
import { decodeBatchSetResponse } from '../../src/rpc/client-codec.js';
import { encodeSetRequest } from '../../src/rpc/kv-codec.js';
import { ProtoWriter } from '../../src/rpc/proto-writer.js';
import { KEY_BYTES, sampleValue } from './storm-keys.js';
import { writeTextKey } from './text-keys.js';

const VALUES = Array.from({ length: 64 }, (_, i) => sampleValue(i));

export class EntriesIngest {
  readonly #address: string;
  readonly #batch: number;
  readonly #nextNumber: () => number;

  constructor(address: string, batch: number, nextNumber: () => number) {
    this.#address = address;
    this.#batch = batch;
    this.#nextNumber = nextNumber;
  }

  /** Two connections, as the client library has them, with so many batches on their way in all. */
  async write(
    outstanding: number,
    endMs: number,
  ): Promise<{ acknowledged: number; latencyMs: number[] }> {
    const total = { acknowledged: 0, latencyMs: [] as number[] };
    await Promise.all([0, 1].map(() => this.#writeOne(outstanding / 2, endMs, total)));
    return total;
  }

  async #writeOne(
    outstanding: number,
    endMs: number,
    total: { acknowledged: number; latencyMs: number[] },
  ): Promise<void> {
    const channel = openChannel(this.#address, () => Date.now());
    await channel.ready(10_000);
    const sentAt: number[] = [];
    let failure: Error | undefined;
    const ended = new Promise<void>((resolve) => {
      const stream = channel.duplex('/kv.Kv/Ingest', {
        onMessage: (message) => {
          const { written, errors } = decodeBatchSetResponse(message);
          failure ??= errors[0]?.error;
          total.acknowledged += written;
          total.latencyMs.push(performance.now() - (sentAt.shift() ?? 0));
          if (performance.now() < endMs && failure === undefined) send();
          else if (sentAt.length === 0) stream.end();
        },
        onDrain: () => {},
        onEnd: (error) => {
          failure ??= error;
          resolve();
        },
      });
      const send = (): void => {
        sentAt.push(performance.now());
        stream.write(this.#message());
      };
      for (let i = 0; i < outstanding; i++) send();
    });
    await ended;
    channel.close();
    await rest(0);
    if (failure !== undefined) throw failure;
  }

  #message(): Buffer {
    const writer = new ProtoWriter(this.#batch * 100);
    const key = new Uint8Array(KEY_BYTES);
    for (let i = 0; i < this.#batch; i++) {
      writeTextKey(key, 0, this.#nextNumber());
      writer.message(1, encodeSetRequest(key, VALUES[i & 63] ?? key));
    }
    return writer.resultView();
  }
}
