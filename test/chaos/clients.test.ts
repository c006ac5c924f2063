/** Clients on a store in memory, which breaks a promise where a test asks for it. */
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { systemClock } from '../../src/base/system-clock.js';
import { VersionConflict } from '../../src/base/version-conflict.js';
import { Clients } from '../../src/chaos/clients.js';
import type { Door } from '../../src/chaos/door.js';
import { History } from '../../src/chaos/history.js';
import { Judge } from '../../src/chaos/judge.js';
import { Timeline } from '../../src/chaos/timeline.js';
import type { BatchAnswer, ScannedPage, ScanOptions, SetExtras } from '../../src/cli/kv-client.js';
import { Dice } from '../../src/demo/dice.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Clients');

interface Entry {
  value: Buffer;
  version: number;
}

class MemoryDoor implements Door {
  readonly life = 1;
  readonly entries = new Map<string, Entry>();
  readonly old = new Map<string, Entry>();
  version = 0;
  calls = 0;

  async set(key: string, value: Uint8Array, extras: SetExtras): Promise<number> {
    await this.#turn();
    const now = this.entries.get(key)?.version ?? 0;
    if (extras.ifAbsent === true && now !== 0) throw new VersionConflict(now);
    if ((extras.ifVersion ?? now) !== now) throw new VersionConflict(now);
    return this.put(key, value);
  }

  put(key: string, value: Uint8Array): number {
    const before = this.entries.get(key);
    if (before !== undefined) this.old.set(key, before);
    this.entries.set(key, { value: Buffer.from(value), version: ++this.version });
    return this.version;
  }

  async getVersioned(key: string): Promise<Entry | undefined> {
    await this.#turn();
    return this.entries.get(key);
  }

  async delete(key: string, ifVersion = 0): Promise<void> {
    await this.#turn();
    const now = this.entries.get(key)?.version ?? 0;
    if (ifVersion !== 0 && ifVersion !== now) throw new VersionConflict(now);
    this.entries.delete(key);
  }

  async batchSet(entries: { key: string; value: Uint8Array }[]): Promise<BatchAnswer> {
    await this.#turn();
    for (const { key, value } of entries) this.put(key, value);
    return { written: entries.length, errors: [] };
  }

  async *scan({ prefix = Buffer.alloc(0) }: ScanOptions): AsyncGenerator<ScannedPage> {
    await this.#turn();
    const start = Buffer.from(prefix).toString();
    const entries = [...this.entries]
      .filter(([key]) => key.startsWith(start))
      .map(([key, entry]) => ({ key, ...entry }));
    yield { entries, cursor: '', freshSnapshot: false };
  }

  /** So that calls of different clients overlap. */
  async #turn(): Promise<void> {
    this.calls++;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function invariantsOf(door: MemoryDoor, calls = 3000): Promise<string[]> {
  const history = new History();
  const judge = new Judge();
  const clients = new Clients({
    run: 'test',
    keys: { prefix: 'p/', hot: 8, cold: 40, tags: 4, members: 3 },
    doors: { door: async () => door },
    history,
    judge,
    meter: new Timeline(0),
    clock: systemClock,
    sleep: async () => {},
  });
  const dice = Array.from({ length: 8 }, (_, i) => new Dice(i, 'client'));
  await Promise.all(dice.map((one) => clients.run(one, () => door.calls >= calls)));
  for (const key of clients.allKeys) assert.ok(await clients.readSurely(key, 1000));
  judge.judge(history.take());
  return [...new Set(judge.violations.map(({ invariant }) => invariant))].sort();
}

test('find nothing wrong with a store that works', async () => {
  const door = new MemoryDoor();
  assert.equal(await invariantsOf(door), []);
  assert.ok(door.entries.size > 30, `${door.entries.size} keys`);
});

test('find a stale read', async () => {
  class Stale extends MemoryDoor {
    override async getVersioned(key: string) {
      const now = await super.getVersioned(key);
      return this.calls % 100 === 0 ? (this.old.get(key) ?? now) : now;
    }
  }
  assert.ok((await invariantsOf(new Stale())).length > 0);
});

test('find a lost write, and an acknowledged delete that did nothing', async () => {
  class Lossy extends MemoryDoor {
    override put(key: string, value: Uint8Array) {
      return this.calls % 100 === 0 ? ++this.version : super.put(key, value);
    }
  }
  assert.ok((await invariantsOf(new Lossy())).includes('lost'));
  class Undying extends MemoryDoor {
    override async delete() {
      this.calls++;
    }
  }
  assert.ok((await invariantsOf(new Undying())).includes('resurrected'));
});

test('find a refusal that was none, a batch that was torn, a value of nobody', async () => {
  class Refusing extends MemoryDoor {
    override async set(key: string, value: Uint8Array, extras: SetExtras) {
      const version = await super.set(key, value, extras);
      if (this.calls % 50 !== 0) return version;
      throw new StormError('RESOURCE_EXHAUSTED', 'full', { outcome: 'not-applied' });
    }
  }
  assert.ok((await invariantsOf(new Refusing())).includes('refused-applied'));
  class Tearing extends MemoryDoor {
    override async batchSet(entries: { key: string; value: Uint8Array }[]) {
      await super.batchSet(entries.slice(0, 2));
      await new Promise((resolve) => setTimeout(resolve, 1));
      return super.batchSet(entries.slice(2));
    }
  }
  assert.ok((await invariantsOf(new Tearing())).includes('torn-batch'));
  class Damaged extends MemoryDoor {
    override async getVersioned(key: string) {
      const now = await super.getVersioned(key);
      if (now === undefined || this.calls % 200 !== 0) return now;
      return { ...now, value: now.value.subarray(1) };
    }
  }
  assert.ok((await invariantsOf(new Damaged())).includes('phantom'));
});

test('take unknown outcomes for what they are: applied or not', async () => {
  class Dropping extends MemoryDoor {
    override async set(key: string, value: Uint8Array, extras: SetExtras) {
      if (this.calls % 20 === 0) {
        this.calls++;
        throw new StormError('UNAVAILABLE', 'the shard died', { outcome: 'unknown' });
      }
      const version = await super.set(key, value, extras);
      if (this.calls % 20 !== 10) return version;
      throw new StormError('UNAVAILABLE', 'the shard died', { outcome: 'unknown' });
    }
  }
  assert.equal(await invariantsOf(new Dropping()), []);
});

run();
