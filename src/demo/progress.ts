/**
 * Live progress on stderr: a bar where there is a terminal, else a line now and then. The only
 * importer of cli-progress.
 */
import cliProgress from 'cli-progress';

export interface Progress {
  begin(what: string, total: number): void;
  advance(): void;
  /** A message of its own line. */
  say(message: string): void;
  /** After the last step of what was begun. */
  end(): void;
  /** Leaves the terminal as it was, also in mid-work; may be called again. */
  close(): void;
}

export interface ProgressOptions {
  say(message: string): void;
  monotonicMs(): number;
}

const LINE_EVERY_MS = 1000;

/** For files and pipes. */
export function lineProgress({ say, monotonicMs }: ProgressOptions): Progress {
  let [what, total, count, beginMs, saidMs] = ['', 0, 0, 0, 0];
  const report = (nowMs: number) => {
    saidMs = nowMs;
    const perSecond = Math.round((count * 1000) / Math.max(1, nowMs - beginMs));
    say(`${what}: ${number(count)} of ${number(total)} (${number(perSecond)}/s)`);
  };
  return {
    begin(name, steps) {
      [what, total, count] = [name, steps, 0];
      beginMs = saidMs = monotonicMs();
    },
    advance() {
      count++;
      const nowMs = monotonicMs();
      if (nowMs - saidMs >= LINE_EVERY_MS) report(nowMs);
    },
    say,
    end: () => report(monotonicMs()),
    close() {},
  };
}

/** For a terminal on stderr. */
export function barProgress({ say, monotonicMs }: ProgressOptions): Progress {
  const format = '{what} {bar} {percentage}% {value}/{total} {speed}/s';
  const options = { format, fps: 10, hideCursor: true, forceRedraw: true };
  let bars: cliProgress.MultiBar | undefined;
  let bar: cliProgress.SingleBar | undefined;
  let [count, beginMs] = [0, 0];
  const speed = () => number(Math.round((count * 1000) / Math.max(1, monotonicMs() - beginMs)));
  const close = () => {
    bars?.stop();
    bars = undefined;
  };
  return {
    begin(what, total) {
      [count, beginMs] = [0, monotonicMs()];
      bars = new cliProgress.MultiBar(options, cliProgress.Presets.shades_classic);
      bar = bars.create(total, 0, { what: what.padEnd(9), speed: 0 });
    },
    advance() {
      count++;
      bar?.update(count, { speed: speed() });
    },
    // The bar's own log writes above it; without a bar there is nothing to write around.
    say: (message) => (bars === undefined ? say(message) : bars.log(`${message}\n`)),
    end() {
      bars?.update();
      close();
    },
    close,
  };
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
