/** A storm whose every write is known by its sequence number, and data dirs held against that. */
import { KvClient } from '../../src/cli/kv-client.js';
import { restoreBackup } from '../../src/offline/restore-backup.js';
import { storedEntries } from '../../src/offline/stored-entries.js';
import { verifyBackup } from '../../src/offline/verify-backup.js';
import type { TaskStatus } from '../../src/rpc/admin-tasks.js';
import { type Inventory, readInventory } from '../../src/storage/backup-inventory.js';
import type { Finding } from '../../src/storage/check-finding.js';
import { nodeFileSystem } from '../../src/storage/node-file-system.js';
import { SeededRandom } from '../harness/seeded-random.js';
import { shardOf, until } from './cluster-rig.js';

export const SHARDS = 2;
const WRITERS = 16;
const KEYS_PER_WRITER = 200;
const GETS_AT_ONCE = 256;

interface Written {
  sequence: number;
  value: string;
}

/** Writers that overwrite keys of their own, one call at a time each. */
export class KnownStorm {
  /** By key, ascending; a value may be there twice, the later one counts. */
  readonly #written = new Map<string, Written[]>();
  /** Of writes without an answer: they may be in the store, under any sequence number. */
  readonly #unknown = new Map<string, Set<string>>();
  readonly latenciesMs: number[] = [];
  #isStopped = false;
  #running: Promise<void>[] = [];
  count = 0;

  constructor(readonly name: string) {}

  start(address: string): void {
    this.#isStopped = false;
    const client = new KvClient(address, 10_000, Date.now);
    const writers = Array.from({ length: WRITERS }, (_, i) => this.#write(client, i));
    this.#running.push(Promise.all(writers).then(() => client.close()));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running.splice(0));
  }

  async #write(client: KvClient, writer: number): Promise<void> {
    const random = new SeededRandom(writer + 1);
    while (!this.#isStopped) {
      const key = `${this.name}-${writer}-${random.nextInt(KEYS_PER_WRITER)}`;
      const value = `${this.count++} ${'answer '.repeat(random.nextInt(60))}`;
      const begun = performance.now();
      try {
        const sequence = await client.setVersioned(key, Buffer.from(value));
        this.latenciesMs.push(performance.now() - begun);
        const list = this.#written.get(key) ?? [];
        list.push({ sequence, value });
        this.#written.set(key, list);
      } catch {
        const values = this.#unknown.get(key) ?? new Set();
        values.add(value);
        this.#unknown.set(key, values);
        // The server was killed: whoever kills it starts the storm anew.
        return;
      }
    }
  }

  /** What differs between a content and what each shard had at its sequence number. */
  differences(content: ReadonlyMap<string, string>, sequences: readonly number[]): string[] {
    const found = new Map(content);
    const wrong: string[] = [];
    for (const [key, list] of this.#written) {
      const sequence = sequences[shardOf(key, SHARDS)] ?? 0;
      const expected = list.filter((one) => one.sequence <= sequence).at(-1)?.value;
      const value = found.get(key);
      found.delete(key);
      if (value === expected) continue;
      if (value !== undefined && this.#unknown.get(key)?.has(value) === true) continue;
      wrong.push(`${key} at ${sequence}: found ${value}, expected ${expected}`);
    }
    for (const [key, value] of found) {
      if (this.#unknown.get(key)?.has(value) !== true) wrong.push(`${key}: nobody wrote ${value}`);
    }
    return wrong;
  }
}

/** Every key of a data dir that no server has open. */
export function storedContent(dataDir: string): Map<string, string> {
  const found = new Map<string, string>();
  const all = { prefix: new Uint8Array(0), nowMs: Date.now() };
  for (const e of storedEntries(nodeFileSystem, dataDir, all)) {
    const key = Buffer.from(e.keyBytes.subarray(e.keyStart, e.keyStart + e.keyLength));
    const value = Buffer.from(e.valueBytes.subarray(e.valueStart, e.valueStart + e.valueLength));
    found.set(key.toString(), value.toString());
  }
  return found;
}

/** Every key of a running server: as a scan finds it, and again as a Get does. */
export async function servedContent(address: string): Promise<Map<string, string>> {
  const client = new KvClient(address, 60_000, Date.now);
  try {
    const found = new Map<string, string>();
    for await (const page of client.scan({ prefix: Buffer.alloc(0), limit: 0 }, 60_000)) {
      for (const { key, value } of page.entries) found.set(key.toString(), value.toString());
    }
    const keys = [...found.keys()];
    for (let from = 0; from < keys.length; from += GETS_AT_ONCE) {
      const some = keys.slice(from, from + GETS_AT_ONCE);
      const values = await Promise.all(some.map((key) => client.get(key)));
      values.forEach((value, i) => {
        const key = some[i] ?? '';
        if (value?.toString() !== found.get(key)) found.set(key, `a Get finds ${value}`);
      });
    }
    return found;
  } finally {
    client.close();
  }
}

/** Takes a backup of a running server; resolves with how it ended. */
export async function takeBackup(address: string, dir: string, copy = false): Promise<TaskStatus> {
  const client = new KvClient(address, 10_000, Date.now);
  try {
    let status = await client.startBackup(dir, copy);
    await until(async () => {
      status = await client.task(status.id);
      return status.state !== 'running';
    });
    return status;
  } finally {
    client.close();
  }
}

/** What a verification finds. */
export function damageIn(dir: string, id: number): Finding[] {
  const findings: Finding[] = [];
  const totals = { shards: 0, tables: 0, tableBytes: 0, entries: 0, segments: 0, frames: 0 };
  const report = { found: (f: Finding) => findings.push(f), progress: () => {}, totals };
  verifyBackup(nodeFileSystem, dir, readInventory(nodeFileSystem, dir, id), report);
  return findings;
}

export function restored(dir: string, id: number, dataDir: string): Inventory {
  const inventory = readInventory(nodeFileSystem, dir, id);
  const random = new SeededRandom(id);
  restoreBackup(nodeFileSystem, random, { dir, inventory }, dataDir, {}, () => {});
  return inventory;
}
