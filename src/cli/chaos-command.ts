import { resolve } from 'node:path';
import { StormError } from '../base/errors.js';
import { randomUint48, systemRandom } from '../base/random.js';
import { systemClock } from '../base/system-clock.js';
import type { Setting } from '../chaos/attack.js';
import { FAULT_KINDS, type FaultKind } from '../chaos/faults.js';
import type { ChaosResult } from '../chaos/run-chaos.js';
import { type CommandIo, type CommandSpec, type OptionValues, textOption } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { Interruption } from './interruption.js';
import { isEmptyDir, makeTempDir, removeDir, writeLocalFile } from './local-files.js';
import { numberOption } from './parse-number.js';
import { packageVersion } from './version.js';

const KILLS_DEFAULT = 20;
const KILLS_MAX = 1_000_000;
const SEED_MAX = 2 ** 31;
const SHARDS_DEFAULT = 3;
const SHARDS_MAX = 256;
const OPERATIONS_DEFAULT = 5000;
const FAULTS_DEFAULT = 2;
const CLIENTS_DEFAULT = 32;
const OPERATIONS_MAX = 1_000_000;
const CLIENTS_MAX = 1000;
const DURATION_S_MAX = 10_000_000;

export const chaosCommand: CommandSpec = {
  name: 'chaos',
  summary: 'Break a server on purpose, under load, and check every promise it makes',
  arguments: [],
  options: [
    { flags: '-t, --target <host:port>', help: 'a running server that allows it (admin.chaos)' },
    { flags: '--spawn', help: 'a server of its own (the default without --target)' },
    { flags: '-k, --kills <number>', help: `end after so many kills (default: ${KILLS_DEFAULT})` },
    { flags: '--duration <seconds>', help: 'end after so long' },
    { flags: '--seed <number>', help: 'repeat the faults and operations of a run' },
    { flags: '-s, --shards <number>', help: `of the spawned server (default: ${SHARDS_DEFAULT})` },
    { flags: '-d, --data-dir <path>', help: 'an empty folder, kept (default: a temporary one)' },
    { flags: '--operations <number>', help: 'of one history', default: `${OPERATIONS_DEFAULT}` },
    { flags: '--faults <number>', help: 'of one history', default: `${FAULTS_DEFAULT}` },
    { flags: '--only <faults>', help: `comma-separated, of: ${FAULT_KINDS.join(', ')}` },
    { flags: '--clients <number>', help: 'calls at a time', default: `${CLIENTS_DEFAULT}` },
    { flags: '-r, --report <file>', help: 'write a report (HTML, one file)' },
    { flags: '--json', help: 'print the result as JSON' },
  ],
  examples: [
    'stormkv chaos',
    'stormkv chaos --kills 200 --shards 4 --report chaos.html',
    'stormkv chaos --duration 3600 --seed 7 --json',
    'STORMKV_ADMIN_CHAOS=true stormkv serve & stormkv chaos --target 127.0.0.1:8081',
  ],
  run: (io, _args, options) => runCommand(io, options),
};

async function runCommand(io: CommandIo, options: OptionValues): Promise<ExitCode> {
  const target = textOption(options, 'target');
  if (target !== undefined && (options['spawn'] === true || options['dataDir'] !== undefined)) {
    const text = '--target names a server that runs: it goes with neither --spawn nor --data-dir';
    throw new StormError('INVALID_ARGUMENT', text);
  }
  const shards = numberOption(options, 'shards', '--shards', 1, SHARDS_MAX) ?? SHARDS_DEFAULT;
  const interruption = new Interruption(io.say);
  const setting = await settingOf(io, options, interruption);
  // Loaded here, so that other commands and --help start without it.
  const { attackOwn, attackTarget } = await import('../chaos/attack.js');
  const run = randomUint48(systemRandom).toString(36);
  const finish = (result: ChaosResult) => showResult(io, options, result);
  try {
    if (target !== undefined) {
      return await finish(await interruption.orEnd(attackTarget(target, run, setting)));
    }
    return await withDataDir(io, textOption(options, 'dataDir'), async (dir) => {
      const world = { dir, shardCount: shards, env: io.env, say: io.say };
      return finish(await interruption.orEnd(attackOwn(world, run, setting)));
    });
  } finally {
    interruption.close();
  }
}

async function settingOf(
  io: CommandIo,
  options: OptionValues,
  interruption: Interruption,
): Promise<Setting> {
  const number = (name: string, min: number, max: number) =>
    numberOption(options, name, `--${name}`, min, max);
  const seconds = number('duration', 1, DURATION_S_MAX);
  const kills = number('kills', 1, KILLS_MAX) ?? (seconds === undefined ? KILLS_DEFAULT : Infinity);
  const { monotonicMs } = systemClock;
  const { liveView } = await import('../chaos/live-view.js');
  const view = liveView(io.say, io.errIsTerminal && io.env['TERM'] !== 'dumb', monotonicMs);
  return {
    kills,
    durationMs: seconds === undefined ? Infinity : seconds * 1000,
    seed: number('seed', 0, SEED_MAX) ?? systemClock.wallMs() % SEED_MAX,
    operations: number('operations', 100, OPERATIONS_MAX) ?? OPERATIONS_DEFAULT,
    faultsPerHistory: number('faults', 1, OPERATIONS_MAX) ?? FAULTS_DEFAULT,
    only: onlyOf(textOption(options, 'only')),
    clients: number('clients', 1, CLIENTS_MAX) ?? CLIENTS_DEFAULT,
    clock: systemClock,
    sleep: (ms) => new Promise((done) => setTimeout(done, ms)),
    isInterrupted: () => interruption.hasCome,
    onView: view.update,
    onRound: view.round,
  };
}

function onlyOf(text: string | undefined): FaultKind[] | undefined {
  return text?.split(',').map((name) => {
    const kind = FAULT_KINDS.find((one) => one === name.trim());
    if (kind !== undefined) return kind;
    const known = FAULT_KINDS.join(', ');
    throw new StormError('INVALID_ARGUMENT', `--only knows ${known}: found ${name}`);
  });
}

async function showResult(
  io: CommandIo,
  options: OptionValues,
  result: ChaosResult,
): Promise<ExitCode> {
  const { formatResult, jsonOf } = await import('../chaos/chaos-result.js');
  io.out(options['json'] === true ? `${JSON.stringify(jsonOf(result))}\n` : formatResult(result));
  const path = textOption(options, 'report');
  if (path !== undefined) {
    const { chaosReport } = await import('../chaos/chaos-report.js');
    writeLocalFile(path, chaosReport(result, packageVersion()));
    io.say(`The report is in ${path}`);
  }
  return result.violations.length === 0 ? EXIT.ok : EXIT.failure;
}

/** A temporary folder is removed, unless something was found: then it is evidence. */
async function withDataDir(
  io: CommandIo,
  given: string | undefined,
  body: (dir: string) => Promise<ExitCode>,
): Promise<ExitCode> {
  if (given !== undefined) {
    if (isEmptyDir(given)) return body(resolve(given));
    const text = `--data-dir must be an empty folder: there is something in ${given}`;
    throw new StormError('INVALID_ARGUMENT', text);
  }
  const dir = makeTempDir('stormkv-chaos-');
  let isEvidence = true;
  try {
    const exit = await body(dir);
    isEvidence = exit !== EXIT.ok;
    return exit;
  } finally {
    if (isEvidence) io.say(`The data stays in ${dir}`);
    else removeDir(dir);
  }
}
