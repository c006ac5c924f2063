/**
 * A server in a process of its own, so that a test can kill it: `stormkv serve` on a data dir, with
 * ports of the system's choice.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseReadyLine, type ReadyInfo } from '../../src/cli/ready-line.js';
import type { PartialConfig } from '../../src/main.js';
import { withDeadline } from './suite.js';

const BUILD = fileURLToPath(new URL('../../', import.meta.url));
const COMMAND = 'src/cli/stormkv.js';
const READY_MS_MAX = 120_000;
const STDERR_LINES_MAX = 40;

export class ServerProcess {
  /** Resolves with what the ready line says; rejects when the process ends without one. */
  readonly ready: Promise<ReadyInfo>;
  /** From the spawn to the ready line, once it is ready. */
  readyMs = 0;
  readonly #child: ChildProcess;
  readonly #exit: Promise<void>;
  readonly #stderr: string[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exit = new Promise((resolve) => {
      child.once('exit', () => resolve());
    });
    this.ready = withDeadline(this.#awaitReady(), 'the server is ready', READY_MS_MAX);
    // Whoever kills it before it is ready does not wait for that.
    this.ready.catch(() => {});
  }

  /**
   * `config` must name its data dir; it is written to `configFile`. `build`: the root of another
   * build than this test's own.
   */
  static spawn(config: PartialConfig, configFile: string, build = BUILD): ServerProcess {
    writeFileSync(configFile, JSON.stringify(config));
    const args = [join(build, COMMAND), 'serve', '--config', configFile];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    return new ServerProcess(child);
  }

  /** The last lines that it wrote to stderr. */
  get stderrText(): string {
    return this.#stderr.join('\n');
  }

  /** Ends it at once, wherever it is; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await withDeadline(this.#exit, 'the server stops', READY_MS_MAX);
  }

  async #awaitReady(): Promise<ReadyInfo> {
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error('The server has no pipes');
    createInterface(stderr).on('line', (line) => {
      this.#stderr.push(line);
      if (this.#stderr.length > STDERR_LINES_MAX) this.#stderr.shift();
    });
    const startMs = performance.now();
    const ended = this.#exit.then(() => {
      throw new Error(`The server ended before it was ready:\n${this.stderrText}`);
    });
    const line = new Promise<string>((resolve) => createInterface(stdout).once('line', resolve));
    const info = parseReadyLine(await Promise.race([line, ended]));
    if (info === undefined) throw new Error('The server printed another line than the ready line');
    this.readyMs = performance.now() - startMs;
    return info;
  }
}
