/** A real server in a process of its own, as shipped, and what it costs. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { ServerProcess } from '../../src/demo/server-process.js';
import { type Figures, rounded } from './rounds.js';

const TICKS_PER_SECOND = 100;
const READY_MS_MAX = 120_000;

export interface ServiceStats {
  shards: {
    state: string;
    recoveries: number;
    recoveryMs: number;
    recoveredRecords: number;
    counters: Record<string, number>;
  }[];
}

export interface ServiceOptions {
  /** What differs from the shipped configuration. */
  config?: object;
  shards?: number;
  /** A module that every thread of the server loads first. */
  preload?: URL;
  env?: Record<string, string>;
}

export class Service {
  readonly #process: ServerProcess;
  readonly #pid: number;

  private constructor(process: ServerProcess) {
    this.#process = process;
    this.#pid = process.info.pid;
  }

  /** The shipped configuration, where nothing else is asked for. */
  static async start(dataDir: string, wanted: ServiceOptions = {}): Promise<Service> {
    const { config, shards, preload, env = {} } = wanted;
    const node = preload === undefined ? {} : { NODE_OPTIONS: `--import=${preload.href}` };
    const options = {
      dataDir,
      shardCount: shards,
      env: { ...process.env, ...env, ...node },
      readyTimeoutMs: READY_MS_MAX,
    };
    if (config === undefined) return new Service(await ServerProcess.start(options));
    const path = `${dataDir}.config.json`;
    writeFileSync(path, JSON.stringify(config));
    return new Service(await ServerProcess.start({ ...options, config: path }));
  }

  get pid(): number {
    return this.#pid;
  }

  get grpcAddress(): string {
    return this.#process.info.grpcAddress;
  }

  get httpAddress(): string {
    return this.#process.info.httpAddress;
  }

  get info(): ServerProcess['info'] {
    return this.#process.info;
  }

  /** CPU seconds of all its threads so far. */
  cpuSeconds(): number {
    return cpuSecondsOfProcess(this.#pid);
  }

  /** CPU seconds of each thread that has used some, most first. */
  threadSeconds(): number[] {
    return readdirSync(`/proc/${this.#pid}/task`)
      .map((task) => cpuSecondsOf(`/proc/${this.#pid}/task/${task}/stat`))
      .filter((seconds) => seconds >= 0.05)
      .sort((a, b) => b - a);
  }

  rssMiB(): number {
    const status = readFileSync(`/proc/${this.#pid}/status`, 'utf8');
    return rounded(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  }

  async stats(): Promise<ServiceStats> {
    const response = await fetch(`http://${this.#process.info.httpAddress}/stats`);
    return (await response.json()) as ServiceStats;
  }

  /** The sum of a counter over all shards. */
  async total(counter: string): Promise<number> {
    const { shards } = await this.stats();
    return shards.reduce((sum, { counters }) => sum + (counters[counter] ?? 0), 0);
  }

  /** What it did and what it costs now, for the end of a run. */
  async figures(): Promise<Figures> {
    return {
      serverCpuSeconds: rounded(this.cpuSeconds()),
      serverThreadSeconds: this.threadSeconds().map(rounded).join(' '),
      serverRssMiB: this.rssMiB(),
      debtMiB: rounded((await this.total('debtBytes')) / 2 ** 20),
      flushes: await this.total('flushesTotal'),
      merges: await this.total('mergesTotal'),
      sortedRuns: await this.total('sortedRuns'),
      groups: await this.total('groupsTotal'),
    };
  }

  /** In order; resolves when it is gone. */
  async stop(): Promise<void> {
    this.#process.signal('SIGTERM');
    await this.#process.ended;
  }
}

/** CPU seconds of all threads of a process so far. */
export function cpuSecondsOfProcess(pid: number): number {
  return cpuSecondsOf(`/proc/${pid}/stat`);
}

function cpuSecondsOf(statFile: string): number {
  try {
    // The name in parentheses may hold spaces.
    const fields = readFileSync(statFile, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}
