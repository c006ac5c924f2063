/**
 * One server after another on the same data dir. Between two lives callers of `current` wait; a
 * server that ends without having been asked to ends the session with its last words.
 */
import { StormError } from '../base/errors.js';
import type { DoorSource, Doors } from './door.js';
import type { DoorAddresses, OpenDoors } from './open-doors.js';

export interface ServerInfo extends DoorAddresses {
  shardCount: number;
  recoveredRecords: number;
  startedMs: number;
}

/** One life of a server. */
export interface Server {
  readonly info: ServerInfo;
  readonly ended: Promise<{ code: number | null; signal: string | null; lastWords: string }>;
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<{ code: number | null; lastWords: string }>;
}

export interface SessionOptions {
  startServer(): Promise<Server>;
  openDoors(addresses: DoorAddresses): OpenDoors;
  monotonicMs(): number;
}

/** How long the service was away, and what its recovery did. */
export interface Recovery {
  /** From the signal to the ready line, process start included. */
  downMs: number;
  /** What the server itself says of its start. */
  startedMs: number;
  recoveredRecords: number;
}

export class ServerSession implements DoorSource {
  readonly #options: SessionOptions;
  #server: Server | undefined;
  #doors: OpenDoors | undefined;
  #next = new Pending<Doors>();
  #failure: StormError | undefined;
  #shardCount = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** As the server said when it last started. */
  get shardCount(): number {
    return this.#shardCount;
  }

  async start(): Promise<Server> {
    let server: Server;
    try {
      server = await this.#options.startServer();
    } catch (error) {
      throw this.#fail(error);
    }
    this.#server = server;
    this.#shardCount = server.info.shardCount;
    void server.ended.then(({ code, signal, lastWords }) => {
      if (this.#server !== server) return;
      const how = signal ?? `exit ${code}`;
      this.#fail(new StormError('INTERNAL', `The server ended by itself (${how}):\n${lastWords}`));
    });
    this.#doors = this.#options.openDoors(server.info);
    this.#next.resolve(this.#doors);
    return server;
  }

  async current(): Promise<Doors> {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#doors ?? this.#next.promise;
  }

  /** Ends the server as a crash would (SIGKILL) or in order (SIGTERM), and starts the next one. */
  async restart(signal: 'SIGKILL' | 'SIGTERM'): Promise<Recovery> {
    const startMs = this.#options.monotonicMs();
    await this.stop(signal);
    const { info } = await this.start();
    const { recoveredRecords, startedMs } = info;
    return { downMs: this.#options.monotonicMs() - startMs, startedMs, recoveredRecords };
  }

  /** No error when there is no server. Throws when an orderly stop was not one. */
  async stop(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const server = this.#server;
    const doors = this.#doors;
    if (server === undefined) return;
    this.#server = undefined;
    this.#doors = undefined;
    this.#next = new Pending();
    // First the server: calls must meet a dead peer, not a closed client.
    const { code, lastWords } = await server.end(signal);
    doors?.close();
    if (signal === 'SIGTERM' && code !== 0) {
      throw this.#fail(new StormError('INTERNAL', `SIGTERM ended in exit ${code}:\n${lastWords}`));
    }
  }

  #fail(error: unknown): StormError {
    this.#failure =
      error instanceof StormError
        ? error
        : new StormError('INTERNAL', String(error), { cause: error });
    this.#next.reject(this.#failure);
    this.#doors?.close();
    this.#doors = undefined;
    return this.#failure;
  }
}

/** A promise and its settling, for those who wait for something that happens elsewhere. */
class Pending<T> {
  readonly promise: Promise<T>;
  resolve: (value: T) => void = () => {};
  reject: (error: Error) => void = () => {};

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // There may be nobody who waits.
    this.promise.catch(() => {});
  }
}
