import { StormError } from '../base/errors.js';
import { systemClock } from '../base/system-clock.js';
import { type DumpRecord, readDump } from '../offline/dump-reader.js';
import { BatchLoader } from './batch-loader.js';
import { callServer, SERVER_OPTIONS } from './call-server.js';
import type { CommandIo, CommandSpec } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { readInChunks } from './local-files.js';
import { numberOption } from './parse-number.js';
import { ProgressLine } from './progress-line.js';

const WRONG_SHOWN_MAX = 20;

export const loadCommand: CommandSpec = {
  name: 'load',
  summary: 'Write what `stormkv dump` wrote, or lines of JSON, into a running server',
  arguments: [{ name: 'file', help: 'left out: standard input', isOptional: true }],
  options: [
    {
      flags: '--from-line <number>',
      help: 'pass over the lines before: to go on where an earlier load stopped',
    },
    {
      flags: '--wait-s <number>',
      help: 'how long to try again while the server takes no writes, in seconds',
      default: '30',
    },
    { flags: '--json', help: 'print the result as one JSON object' },
    ...SERVER_OPTIONS,
  ],
  examples: [
    'stormkv load store.ndjson --target 127.0.0.1:8081',
    'stormkv load store.ndjson --from-line 120001',
    'zstdcat store.msgpack.zst | stormkv load',
  ],
  async run(io, [file], options) {
    const fromLine = numberOption(options, 'fromLine', '--from-line', 1, Number.MAX_SAFE_INTEGER);
    const waitS = numberOption(options, 'waitS', '--wait-s', 0, 86_400) ?? 0;
    return await callServer(io, options, async (client) => {
      const load = new Load(io, fromLine ?? 1, waitS * 1000, (run) => client.batchSetRun(run));
      await load.run(file === undefined ? io.streamInput() : readInChunks(file));
      return load.report(options['json'] === true);
    });
  },
};

class Load {
  readonly #io: CommandIo;
  readonly #fromLine: number;
  readonly #loader: BatchLoader;
  readonly #progress: ProgressLine;
  #line = 0;
  #wrong = 0;
  #hasHeader = false;
  #trailer: Extract<DumpRecord, { kind: 'trailer' }> | undefined;

  constructor(io: CommandIo, fromLine: number, patienceMs: number, send: BatchLoaderSend) {
    this.#io = io;
    this.#fromLine = fromLine;
    this.#progress = new ProgressLine(io, systemClock);
    this.#loader = new BatchLoader({
      send,
      patienceMs,
      wallMs: systemClock.wallMs,
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      wrong: (line, why) => this.#isWrong(line, why),
    });
  }

  async run(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const record of readDump(chunks)) {
        await this.#take(record);
        this.#progress.show(() => `${this.#loader.written} written, through ${this.#place()}`);
      }
      await this.#loader.finish();
    } catch (error) {
      const next = Math.max(this.#loader.through + 1, this.#fromLine);
      this.#io.say(
        `Stopped: ${this.#loader.written} entries are written, all through ${this.#place()}. ` +
          `Go on with --from-line ${next}`,
      );
      throw error;
    } finally {
      this.#progress.end();
    }
  }

  report(asJson: boolean): ExitCode {
    const { written, expired } = this.#loader;
    const truncated = this.#hasHeader && this.#trailer === undefined;
    const damaged = this.#trailer?.intact === false;
    const whole = !truncated && !damaged && this.#trailer !== undefined;
    const lines = this.#line;
    if (asJson) {
      const result = { written, expired, wrong: this.#wrong, lines, whole, truncated, damaged };
      this.#io.out(`${JSON.stringify(result)}\n`);
    } else {
      this.#io.say(
        `${written} entries written, ${expired} had expired, ${this.#wrong} were wrong, ` +
          `in ${lines} lines (${Math.round(this.#progress.elapsedMs / 100) / 10} s)`,
      );
    }
    if (truncated) {
      const text = 'The dump was cut short: it has no trailer. What it has is loaded; dump again';
      throw new StormError('DATA_CORRUPTION', text);
    }
    if (damaged) {
      const text =
        'The dump is damaged: count or checksum differ. What it has is loaded; dump again';
      throw new StormError('DATA_CORRUPTION', text);
    }
    if (!whole && !asJson) this.#io.say('These were plain lines: nothing says whether all came');
    return this.#wrong === 0 ? EXIT.ok : EXIT.failure;
  }

  async #take(record: DumpRecord): Promise<void> {
    this.#line = record.line;
    if (this.#trailer !== undefined && record.kind !== 'blank') {
      this.#isWrong(record.line, 'it stands behind the end of the dump');
      return;
    }
    if (record.kind === 'header') this.#hasHeader = true;
    if (record.kind === 'trailer') this.#trailer = record;
    if (record.kind === 'wrong') this.#isWrong(record.line, record.why);
    if (record.kind === 'entry' && record.line >= this.#fromLine) await this.#loader.add(record);
    else this.#loader.passed(record.line);
  }

  #isWrong(line: number, why: string): void {
    this.#wrong++;
    if (this.#wrong <= WRONG_SHOWN_MAX) this.#io.say(`line ${line}: ${why}`);
    else if (this.#wrong === WRONG_SHOWN_MAX + 1) this.#io.say('… more lines are wrong');
  }

  #place(): string {
    return `line ${this.#loader.through}`;
  }
}

type BatchLoaderSend = ConstructorParameters<typeof BatchLoader>[0]['send'];
