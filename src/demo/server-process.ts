/** A real `stormkv serve` as a child process, to be killed like any process can be. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { StormError } from '../base/errors.js';
import { parseReadyLine, type ReadyInfo } from '../cli/ready-line.js';

export interface ServerProcessOptions {
  dataDir: string;
  /** The server's own choice if not given. */
  shardCount: number | undefined;
  env: Readonly<Record<string, string | undefined>>;
  /** What is run with `serve …`; the compiled command line if not given. */
  script?: string;
  /** A configuration file; its data dir, addresses and shards give way to those named here. */
  config?: string;
  /** In a process group of its own, so that a Ctrl-C in the terminal does not reach it. */
  isDetached?: true;
  readyTimeoutMs: number;
}

export interface ServerEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The last lines that it wrote to stderr. */
  lastWords: string;
}

const SCRIPT = join(import.meta.dirname, '..', 'cli', 'stormkv.js');
const LAST_LINES_MAX = 20;

export class ServerProcess {
  /** What its ready line said. */
  readonly info: ReadyInfo;
  /** Resolves when the process has ended, however. */
  readonly ended: Promise<ServerEnd>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, ended: Promise<ServerEnd>, info: ReadyInfo) {
    this.#child = child;
    this.ended = ended;
    this.info = info;
  }

  /** Resolves when the server is ready; rejects with its last words when it ends before that. */
  static async start(options: ServerProcessOptions): Promise<ServerProcess> {
    const args = [options.script ?? SCRIPT, 'serve', '--data-dir', options.dataDir];
    args.push('--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0');
    if (options.shardCount !== undefined) args.push('--shards', String(options.shardCount));
    if (options.config !== undefined) args.push('--config', options.config);
    const child = spawn(process.execPath, args, {
      env: { ...options.env },
      detached: options.isDetached === true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // Whatever ends this process, no server of it stays behind.
    const killWithUs = () => child.kill('SIGKILL');
    process.on('exit', killWithUs);
    const ended = endOf(child);
    void ended.then(() => process.off('exit', killWithUs));
    const late = new Deadline(options.readyTimeoutMs);
    const early = ended.then(({ code, signal, lastWords }) => {
      throw new StormError(
        'UNAVAILABLE',
        `The server ended before it was ready (${signal ?? `exit ${code}`}):\n${lastWords}`,
      );
    });
    try {
      const info = await Promise.race([readyInfo(child), early, late.passed]);
      return new ServerProcess(child, ended, info);
    } catch (error) {
      killWithUs();
      throw error;
    } finally {
      late.clear();
    }
  }

  /** Passed on as it is, for instance SIGSTOP and SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when the process is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<ServerEnd> {
    this.#child.kill(signal);
    return this.ended;
  }
}

class Deadline {
  readonly passed: Promise<never>;
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number) {
    let expire = (_error: Error): void => {};
    this.passed = new Promise((_, reject) => {
      expire = reject;
    });
    // Only ever awaited in a race, which may be over.
    this.passed.catch(() => {});
    const error = new StormError('UNAVAILABLE', `The server was not ready within ${ms} ms`);
    this.#timer = setTimeout(() => expire(error), ms);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

/** Never settles when there is no ready line. */
function readyInfo(child: ChildProcess): Promise<ReadyInfo> {
  return new Promise((resolve) => {
    const { stdout } = child;
    if (stdout === null) return;
    createInterface({ input: stdout }).on('line', (line) => {
      const info = parseReadyLine(line);
      if (info !== undefined) resolve(info);
    });
  });
}

function endOf(child: ChildProcess): Promise<ServerEnd> {
  const lines: string[] = [];
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      if (lines.length > LAST_LINES_MAX) lines.shift();
    });
  }
  return new Promise((resolve) => {
    child.on('error', (error) => {
      resolve({ code: null, signal: null, lastWords: error.message });
    });
    child.on('close', (code, signal) => {
      resolve({ code, signal, lastWords: lines.join('\n') });
    });
  });
}
