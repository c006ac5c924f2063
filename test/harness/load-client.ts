/**
 * Writers that load a store through its real doors and tell an oracle what they were answered. A
 * writer alone owns its keys and has one call in flight, so that its oracle knows their order.
 */
import { Agent, type IncomingMessage, request } from 'node:http';
import { StormError } from '../../src/base/errors.js';
import { systemClock } from '../../src/base/system-clock.js';
import { KvClient } from '../../src/cli/kv-client.js';
import { type Attempt, type Finding, KillOracle } from './kill-oracle.js';
import type { SeededRandom } from './seeded-random.js';

const CALL_TIMEOUT_MS = 10_000;

/** A way into a store. Failed calls throw a StormError whose outcome says what is known. */
export interface Door {
  put(key: string, value: string): Promise<void>;
  delete(key: string): Promise<void>;
  get(key: string): Promise<string | undefined>;
  close(): void;
}

/** One gRPC connection, a unary call per operation. */
export class GrpcDoor implements Door {
  readonly #client: KvClient;

  constructor(address: string) {
    this.#client = new KvClient(address, CALL_TIMEOUT_MS, systemClock.wallMs);
  }

  put(key: string, value: string): Promise<void> {
    return this.#client.set(key, Buffer.from(value));
  }

  delete(key: string): Promise<void> {
    return this.#client.delete(key);
  }

  async get(key: string): Promise<string | undefined> {
    return (await this.#client.get(key))?.toString();
  }

  close(): void {
    this.#client.close();
  }
}

/** Connections that are kept alive, as many as there are calls at a time. */
export class HttpDoor implements Door {
  readonly #address: string;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(address: string) {
    this.#address = address;
  }

  async put(key: string, value: string): Promise<void> {
    await this.#call('PUT', key, value);
  }

  async delete(key: string): Promise<void> {
    await this.#call('DELETE', key);
  }

  get(key: string): Promise<string | undefined> {
    return this.#call('GET', key);
  }

  close(): void {
    this.#agent.destroy();
  }

  #call(method: string, key: string, body?: string): Promise<string | undefined> {
    const url = `http://${this.#address}/kv/${encodeURIComponent(key)}`;
    return new Promise((resolve, reject) => {
      const lost = (error: Error): void =>
        reject(new StormError('UNAVAILABLE', error.message, { outcome: 'unknown', cause: error }));
      const call = request(url, { method, agent: this.#agent }, (response) => {
        readAll(response).then((text) => {
          if (response.statusCode === 200) resolve(text);
          else if (method === 'GET' && response.statusCode === 404) resolve(undefined);
          else reject(errorOf(response, text));
        }, lost);
      });
      call.setTimeout(CALL_TIMEOUT_MS, () => call.destroy(new Error('The call took too long')));
      call.on('error', lost);
      call.end(body);
    });
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function errorOf(response: IncomingMessage, text: string): StormError {
  const isKnown = response.headers['stormkv-outcome'] === 'not-applied';
  const code = response.statusCode === 429 ? 'RESOURCE_EXHAUSTED' : 'UNAVAILABLE';
  const outcome = isKnown ? 'not-applied' : 'unknown';
  return new StormError(code, `HTTP ${response.statusCode}: ${text}`, { outcome });
}

export interface LoadOptions {
  name: string;
  random: SeededRandom;
  /** The keys it owns. */
  keys: string[];
  valueBytesMax: number;
  /** Shares of the calls; the rest are puts. */
  deletes: number;
  reads: number;
}

export interface Failure {
  key: string;
  isWrite: boolean;
  error: StormError;
}

/** Calls one after the other on its own keys. Lives longer than the doors it is given. */
export class LoadWriter {
  readonly oracle: KillOracle;
  /** What its own reads found wrong. */
  readonly findings: Finding[] = [];
  readonly #options: LoadOptions;
  #isStopped = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.oracle = new KillOracle(options.name, options.valueBytesMax);
  }

  /** Makes the present `write` end after the call in flight. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Calls until `stop`, or until `onFailure` says so; `pause` is what follows another failure. */
  async write(door: Door, onFailure: (failure: Failure) => 'end' | 'pause'): Promise<void> {
    this.#isStopped = false;
    while (!this.#isStopped) {
      const failure = await this.#step(door);
      if (failure === undefined) continue;
      if (onFailure(failure) === 'end') return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async #step(door: Door): Promise<Failure | undefined> {
    const { random, keys, deletes, reads } = this.#options;
    const key = random.pick(keys);
    const draw = random.float();
    if (draw < reads) return this.#read(door, key);
    if (draw < reads + deletes) {
      return this.#attempt(this.oracle.beginDelete(key), () => door.delete(key));
    }
    const attempt = this.oracle.beginPut(key);
    return this.#attempt(attempt, () => door.put(key, attempt.value ?? ''));
  }

  async #attempt(attempt: Attempt, call: () => Promise<void>): Promise<Failure | undefined> {
    try {
      await call();
      this.oracle.acknowledge(attempt);
      return undefined;
    } catch (error) {
      const failure = { key: attempt.key, isWrite: true, error: stormErrorOf(error) };
      if (failure.error.outcome === 'not-applied') this.oracle.refuse(attempt);
      return failure;
    }
  }

  async #read(door: Door, key: string): Promise<Failure | undefined> {
    try {
      const finding = this.oracle.check(key, await door.get(key));
      if (finding !== undefined) this.findings.push(finding);
      return undefined;
    } catch (error) {
      return { key, isWrite: false, error: stormErrorOf(error) };
    }
  }
}

function stormErrorOf(error: unknown): StormError {
  if (error instanceof StormError) return error;
  throw error;
}

/** Reads keys of the writers back, some at a time over all doors; what was wrong. */
export async function checkKeys(
  doors: readonly Door[],
  wanted: readonly { writer: LoadWriter; keys: readonly string[] }[],
): Promise<Finding[]> {
  const queue = wanted.flatMap(({ writer, keys }) => keys.map((key) => ({ writer, key })));
  const findings: Finding[] = [];
  const work = async (door: Door): Promise<void> => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const finding = next.writer.oracle.check(next.key, await door.get(next.key));
      if (finding !== undefined) findings.push(finding);
    }
  };
  await Promise.all(doors.flatMap((door) => Array.from({ length: 16 }, () => work(door))));
  return findings;
}
