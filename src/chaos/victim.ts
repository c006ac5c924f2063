/** The server under attack: what can be done to it, and how to reach what is left of it. */
import { messageOf, StormError } from '../base/errors.js';
import type { KvClient, WorkerName } from '../cli/kv-client.js';
import type { Dice } from '../demo/dice.js';
import type { DiskOrder } from './disk-shim.js';
import type { Door, DoorSource } from './door.js';
import { FAULT_KINDS, type FaultKind } from './faults.js';

export interface Victim extends DoorSource {
  readonly shardCount: number;
  /** What can be done to it. */
  readonly faults: readonly FaultKind[];
  /** Resolves when the fault is over, or when the next life serves. */
  suffer(kind: FaultKind, dice: Dice): Promise<void>;
  close(): Promise<void>;
}

/** A door with the operator's methods. */
export interface OwnDoor extends Door {
  readonly client: Pick<KvClient, 'killWorker'>;
  close(): void;
}

/** One life of a server that belongs to the run. */
export interface OwnServer {
  readonly info: { grpcAddress: string; shardCount: number; refusedShards: readonly number[] };
  readonly ended: Promise<{ code: number | null; signal: string | null; lastWords: string }>;
  signal(signal: NodeJS.Signals): void;
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<unknown>;
}

export interface SpawnedVictimOptions {
  startServer(): Promise<OwnServer>;
  openDoor(life: number, target: string): OwnDoor;
  /** Undefined where there is none: then no fault needs one. */
  disk: { order(order: DiskOrder): void } | undefined;
  sleep(ms: number): Promise<void>;
  /** A life is over and the next one has recovered. */
  onLapse(life: number): void;
}

const WITH_DISK: readonly FaultKind[] = ['power-loss', 'disk-full', 'sync-failure'];
const WORKERS: readonly FaultKind[] = ['shard-kill', 'flusher-kill', 'merger-kill'];
const PAUSE_MS = [100, 1500] as const;
const FULL_MS = [400, 1200] as const;

export class SpawnedVictim implements Victim {
  readonly faults: readonly FaultKind[];
  readonly #options: SpawnedVictimOptions;
  #life = 0;
  #server: OwnServer | undefined;
  #door: Promise<OwnDoor>;
  #isClosed = false;

  private constructor(options: SpawnedVictimOptions) {
    this.#options = options;
    const hasDisk = options.disk !== undefined;
    this.faults = FAULT_KINDS.filter((kind) => hasDisk || !WITH_DISK.includes(kind));
    this.#door = this.#begin();
  }

  static async start(options: SpawnedVictimOptions): Promise<SpawnedVictim> {
    const victim = new SpawnedVictim(options);
    await victim.#door;
    return victim;
  }

  get shardCount(): number {
    return this.#server?.info.shardCount ?? 1;
  }

  door(): Promise<OwnDoor> {
    return this.#door;
  }

  async suffer(kind: FaultKind, dice: Dice): Promise<void> {
    const { disk, sleep } = this.#options;
    switch (kind) {
      case 'process-kill':
        return this.#replace((server) => server.end('SIGKILL'));
      case 'power-loss':
        return this.#replace((server) => {
          disk?.order(dice.chance(0.5) ? 'drop all' : `drop some ${dice.between(0, 2 ** 31)}`);
          return server.ended;
        });
      case 'pause':
        this.#server?.signal('SIGSTOP');
        await sleep(dice.between(...PAUSE_MS));
        this.#server?.signal('SIGCONT');
        return;
      case 'disk-full':
        disk?.order('full on');
        await sleep(dice.between(...FULL_MS));
        disk?.order('full off');
        return;
      case 'sync-failure':
        disk?.order('fail-sync');
        return;
      default:
        await killWorker(await this.#door, kind, dice.between(0, this.shardCount - 1));
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const [server] = [this.#server];
    this.#server = undefined;
    await server?.end('SIGKILL');
    const door = await this.#door.catch(() => undefined);
    door?.close();
  }

  async #replace(end: (server: OwnServer) => Promise<unknown>): Promise<void> {
    const [server, door, life] = [this.#server, await this.#door, this.#life];
    if (server === undefined) return;
    this.#server = undefined;
    // From now on clients wait for the next life.
    this.#door = end(server).then(() => this.#begin(life));
    this.#door.catch(() => {});
    await server.ended;
    door.close();
    await this.#door;
  }

  async #begin(before?: number): Promise<OwnDoor> {
    const { startServer, openDoor, onLapse } = this.#options;
    if (this.#isClosed) throw new StormError('ABORTED', 'The run is over');
    const server = await startServer();
    if (this.#isClosed) await server.end('SIGKILL');
    const { grpcAddress, refusedShards } = server.info;
    if (refusedShards.length > 0) {
      const { lastWords } = (await server.end('SIGKILL')) as { lastWords: string };
      const text = `Shards ${refusedShards.join(', ')} refuse their data:\n${lastWords}`;
      throw new StormError('DATA_CORRUPTION', text);
    }
    this.#server = server;
    void server.ended.then(({ code, signal, lastWords }) => {
      if (this.#server !== server) return;
      const how = signal ?? `exit ${code}`;
      const text = `The server ended by itself (${how}):\n${lastWords}`;
      this.#door = Promise.reject(new StormError('INTERNAL', text));
      this.#door.catch(() => {});
    });
    if (before !== undefined) onLapse(before);
    return openDoor(++this.#life, grpcAddress);
  }
}

/** A server that others run: only what its operator's door allows. */
export class TargetVictim implements Victim {
  readonly faults = WORKERS;
  readonly shardCount: number;
  readonly #door: OwnDoor;

  private constructor(door: OwnDoor, shardCount: number) {
    this.#door = door;
    this.shardCount = shardCount;
  }

  /** Rejects when the server does not allow it, without having done anything. */
  static async reach(door: OwnDoor, shardCount: number): Promise<TargetVictim> {
    try {
      // There is no such shard: only whether it may be asked for is of interest.
      await door.client.killWorker({ kind: 'SHARD', shard: shardCount });
    } catch (error) {
      if (!(error instanceof StormError) || error.code !== 'INVALID_ARGUMENT') throw error;
    }
    return new TargetVictim(door, shardCount);
  }

  async door(): Promise<Door> {
    return this.#door;
  }

  suffer(kind: FaultKind, dice: Dice): Promise<void> {
    return killWorker(this.#door, kind, dice.between(0, this.shardCount - 1));
  }

  async close(): Promise<void> {
    this.#door.close();
  }
}

async function killWorker(door: OwnDoor, kind: FaultKind, shard: number): Promise<void> {
  const worker: WorkerName =
    kind === 'shard-kill'
      ? { kind: 'SHARD', shard }
      : { kind: kind === 'flusher-kill' ? 'FLUSHER' : 'MERGER' };
  try {
    await door.client.killWorker(worker);
  } catch (error) {
    throw new StormError('INTERNAL', `No worker could be killed: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
