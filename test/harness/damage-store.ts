/**
 * A small store with everything in it that a disk can damage, made by the real engine: ROOT,
 * CURRENT, a manifest with several edits, a WAL of several segments (one begun in a recycled file,
 * with stale frames behind its end; one with a seal), tables with raw, deflate and lz4 blocks,
 * filters, tombstones and expiries. Less than 64 KiB in all.
 */
import { RunBuilder } from '../../src/base/run-builder.js';
import type { Compression } from '../../src/base/table-meta.js';
import type { EngineOptions } from '../../src/rpc/control.js';
import type { Job } from '../../src/rpc/jobs.js';
import { Engine } from '../../src/shard/engine.js';
import { lz4Available } from '../../src/storage/block-codec.js';
import { createRoot } from '../../src/storage/root-manifest.js';
import { DATA_DIR, SHARD_DIR, tinyOptions } from './crash-machine.js';
import { walFilesOf } from './damage-layout.js';
import { InlineJobs, PlainArenas } from './engine-rig.js';
import { ManualClock } from './manual-clock.js';
import { SeededRandom } from './seeded-random.js';
import { SimulatedDisk } from './simulated-disk.js';

/** How the last life of the store ended. */
export type Ending = 'killed' | 'sealed' | 'closed';

/** Key → value, as text. */
export type Contents = ReadonlyMap<string, string>;

export interface StoreImage {
  ending: Ending;
  disk: SimulatedDisk;
  options: EngineOptions;
  /** Wall time at which it is read: some entries have expired, others have not. */
  wallMs: number;
  /** At [0] what it must hold, at [k] what it held k groups earlier. */
  states: readonly Contents[];
  /** Every key that was ever written. */
  keys: readonly string[];
  paths: readonly string[];
  /** Contents of all files at earlier moments, oldest first. */
  moments: readonly ReadonlyMap<string, Uint8Array>[];
}

const KEYS = 48;
const ARENAS = 4;
const SHORT_TTL_MS = 500;
const LONG_TTL_MS = 10_000_000;
const ROUNDS_MAX = 100;
/** Merges wait: what they would do to the tables is not for this store to say. */
const RUN_AT_ONCE: readonly Job['kind'][] = ['flush', 'fill-segment', 'touch-arena', 'remove'];

interface Entry {
  value: string | undefined;
  expiresAtMs: number;
}

export function storeOptions(compression: Compression): EngineOptions {
  const options = tinyOptions();
  return tinyOptions({
    walLiveBytesMax: 32 * 1024,
    walSparesMax: 1,
    walGroupBytesMax: 2048,
    arenaBytes: 16 * 1024,
    mergeFanIn: 16,
    table: { ...options.table, blockBytes: 200, compression },
  });
}

/** The same image every time. */
export function makeStore(ending: Ending): StoreImage {
  const builder = new StoreBuilder();
  for (const compression of ['none', 'deflate', lz4Available() ? 'lz4' : 'deflate'] as const) {
    builder.open(compression);
    builder.fillUntilFlushed();
    builder.close();
  }
  builder.open('none');
  builder.fillUntilFlushed();
  builder.fillUntilFlushed();
  builder.fillSegmentToSeal();
  builder.seal();
  builder.writeGroup();
  return builder.finish(ending);
}

class StoreBuilder {
  readonly #disk = new SimulatedDisk();
  readonly #clock = new ManualClock();
  readonly #random = new SeededRandom(11);
  readonly #storeUuid: string;
  readonly #moments: Map<string, Uint8Array>[] = [];
  readonly #entries = new Map<string, Entry>();
  #states: Map<string, Entry>[] = [];
  #jobs = new InlineJobs(this.#disk);
  #engine: Engine | undefined;
  #lives = 0;

  constructor() {
    const root = createRoot(this.#disk, DATA_DIR, { shardCount: 1, random: new SeededRandom(7) });
    this.#disk.syncDir('/');
    this.#storeUuid = root.storeUuid;
  }

  get #store(): Engine {
    if (this.#engine === undefined) throw new Error('The store is not open');
    return this.#engine;
  }

  open(compression: Compression): void {
    const options = { ...storeOptions(compression), storeUuid: this.#storeUuid };
    this.#jobs = new InlineJobs(this.#disk);
    this.#engine = Engine.open(
      {
        fs: this.#disk,
        clock: this.#clock,
        random: new SeededRandom(100 + this.#lives++),
        jobs: this.#jobs,
        arenas: new PlainArenas(ARENAS, options.arenaBytes),
      },
      options,
    );
    this.#work();
  }

  close(): void {
    this.#store.close();
    this.#engine = undefined;
    this.#remember();
  }

  fillUntilFlushed(): void {
    const before = this.#store.figures().flushesTotal;
    this.#until('flushed', () => this.#store.figures().flushesTotal > before);
  }

  /** Until the newest segment has room for one frame more. */
  fillSegmentToSeal(): void {
    const isReady = (): boolean => walFilesOf(this.#disk).at(-1)?.frames.length === 1;
    if (!isReady()) this.#until('ready for a seal', isReady);
  }

  /** One frame. Housekeeping comes before it, not behind: what it wrote is in the log alone. */
  writeGroup(): void {
    this.#work();
    const run = new RunBuilder();
    const written: [string, Entry][] = [];
    for (let i = 6 + this.#random.nextInt(6); i > 0; i--) written.push(this.#anyWrite(run));
    const bytes = run.runView();
    for (let round = 0; !this.#commit(bytes); round++) {
      if (round > ROUNDS_MAX) throw new Error('A write is held for ever');
      this.#clock.advance(100);
      this.#work();
    }
    this.#states.unshift(new Map(this.#entries));
    for (const [key, entry] of written) this.#entries.set(key, entry);
    this.#clock.advance(10);
    this.#remember();
  }

  /** The idle seal: a witness of all that was written. */
  seal(): void {
    this.#clock.advance(1000);
    this.#work();
    this.#remember();
  }

  finish(ending: Ending): StoreImage {
    // The short ones are gone by then.
    if (ending !== 'killed') this.seal();
    if (ending === 'closed') this.close();
    this.#disk.processCrash();
    this.#disk.syncAll();
    const wallMs = this.#clock.wallMs() + SHORT_TTL_MS;
    const disk = this.#disk.clone();
    const all = [this.#entries, ...this.#states.slice(0, 16)];
    return {
      ending,
      disk,
      options: { ...storeOptions('none'), storeUuid: this.#storeUuid },
      wallMs,
      states: all.map((entries) => visible(entries, wallMs)),
      keys: [...this.#entries.keys()],
      paths: pathsOf(disk),
      moments: this.#moments,
    };
  }

  #until(what: string, isReached: () => boolean): void {
    for (let i = 0; i < ROUNDS_MAX; i++) {
      this.writeGroup();
      this.#work();
      if (isReached()) return;
    }
    throw new Error(`The store was never ${what}`);
  }

  #anyWrite(run: RunBuilder): [string, Entry] {
    const random = this.#random;
    const key = `key-${10 + random.nextInt(KEYS)}`;
    const name = Buffer.from(key);
    if (random.chance(0.15)) {
      run.delete(name);
      return [key, { value: undefined, expiresAtMs: 0 }];
    }
    const noise = random.chance(0.5) ? '' : this.#noise(random.nextInt(120));
    const value = `${this.#states.length}:${'answer '.repeat(random.nextInt(8))}${noise}`;
    const ttlMs = random.chance(0.2) ? random.pick([SHORT_TTL_MS, LONG_TTL_MS]) : 0;
    run.put(name, Buffer.from(value), ttlMs);
    const expiresAtMs = ttlMs === 0 ? 0 : this.#clock.wallMs() + ttlMs;
    return [key, { value, expiresAtMs }];
  }

  /** Text that no codec shortens much. */
  #noise(length: number): string {
    return Buffer.from(this.#random.fill(new Uint8Array(length))).toString('base64');
  }

  /** False when the engine holds the write for now. */
  #commit(bytes: Uint8Array): boolean {
    const engine = this.#store;
    const group = engine.openGroup();
    if (group === undefined) return false;
    group.stage(0, 0, bytes, 0, bytes.length);
    if (engine.admitStaged(group).kind !== 'accept') {
      engine.recycle(group);
      return false;
    }
    engine.commit(group);
    const settled = engine.nextSettled();
    if (settled === undefined) throw new Error('A synced group must be settled');
    engine.recycle(settled);
    return true;
  }

  #work(): void {
    for (let i = 0; i < 4; i++) {
      this.#store.maintain();
      for (const kind of RUN_AT_ONCE) this.#jobs.runAll(kind);
    }
  }

  #remember(): void {
    this.#moments.push(
      new Map(pathsOf(this.#disk).map((path) => [path, this.#disk.contentOf(path)])),
    );
  }
}

function visible(entries: ReadonlyMap<string, Entry>, wallMs: number): Contents {
  const contents = new Map<string, string>();
  for (const [key, { value, expiresAtMs }] of entries) {
    const isLive = expiresAtMs === 0 || expiresAtMs > wallMs;
    if (value !== undefined && isLive) contents.set(key, value);
  }
  return contents;
}

/** All files of the store, ROOT first. */
export function pathsOf(disk: SimulatedDisk): string[] {
  const inShard = disk.list(SHARD_DIR).map((name) => `${SHARD_DIR}/${name}`);
  return [`${DATA_DIR}/ROOT`, ...inShard];
}
