import { StormError } from '../base/errors.js';
import type { StormOptions } from '../storm/storm-options.js';
import type { StormResult } from '../storm/storm-result.js';
import { type CommandIo, type CommandSpec, type OptionValues, textOption } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { Interruption } from './interruption.js';
import { makeTempDir, removeDir, writeLocalFile } from './local-files.js';
import { parseNumber } from './parse-number.js';
import { STORM_OPTIONS, stormOptionsOf, TARGET_DEFAULT } from './storm-arguments.js';
import { packageVersion } from './version.js';

const READY_TIMEOUT_MS = 60_000;
const SHARDS_MAX = 256;
const TERMINAL_COLUMNS = 80;

export const stormCommand: CommandSpec = {
  name: 'storm',
  summary: 'Make load as it comes in practice, watch it, and check what was acknowledged',
  arguments: [],
  options: STORM_OPTIONS,
  examples: [
    'stormkv storm --start --shards 4 --report storm.html',
    'stormkv storm --questionnaire phq9.json --patients 20000 --duration 60',
    'stormkv storm --profile uniform --rate 50000 --entries 100 --duration 30',
    'stormkv storm --profile mixed --door grpc --callers 64 --read-share 0.9 --json',
    'stormkv storm --record storm.json && stormkv storm --replay storm.json --start',
    '# Exit 1: something acknowledged is missing or wrong. Exit 4: calls were given up.',
  ],
  run: (io, _args, options) => runCommand(io, options),
};

async function runCommand(io: CommandIo, options: OptionValues): Promise<ExitCode> {
  const storm = await stormOptionsOf(io, options);
  const isOwn = options['start'] === true;
  const shardsText = textOption(options, 'shards');
  const shardCount =
    shardsText === undefined ? undefined : parseNumber('--shards', shardsText, 1, SHARDS_MAX);
  if (isOwn && (storm.targets.length > 0 || storm.httpTargets.length > 0)) {
    throw new StormError('INVALID_ARGUMENT', '--start is a server of its own: give no --target');
  }
  if (!isOwn && shardCount !== undefined) {
    throw new StormError('INVALID_ARGUMENT', '--shards is for the server of --start: add --start');
  }
  const interruption = new Interruption(io.say);
  try {
    if (isOwn) return await withOwnServer(io, options, storm, shardCount, interruption);
    const targets = storm.targets.length > 0 ? storm.targets : [defaultTarget(io)];
    const run = runAndShow(io, options, { ...storm, targets }, interruption);
    return await interruption.orEnd(run);
  } finally {
    interruption.close();
  }
}

function defaultTarget(io: CommandIo): string {
  return io.env['STORMKV_TARGET'] || TARGET_DEFAULT;
}

/** The data stays where something was lost or wrong: it is evidence. */
async function withOwnServer(
  io: CommandIo,
  options: OptionValues,
  storm: StormOptions,
  shardCount: number | undefined,
  interruption: Interruption,
): Promise<ExitCode> {
  // Loaded here, so that other commands and --help start without it.
  const { ServerProcess } = await import('../demo/server-process.js');
  const dataDir = makeTempDir('stormkv-storm-');
  let isEvidence = false;
  try {
    const server = await ServerProcess.start({
      dataDir,
      shardCount,
      env: io.env,
      isDetached: true,
      readyTimeoutMs: READY_TIMEOUT_MS,
    });
    const { grpcAddress, furtherGrpcAddresses, httpAddress, shardCount: shards } = server.info;
    io.say(`A server with ${shards} shards at ${grpcAddress}, http://${httpAddress}`);
    const targets = [grpcAddress, ...furtherGrpcAddresses];
    const early = server.ended.then(({ code, signal, lastWords }): never => {
      const how = signal ?? `exit ${code}`;
      throw new StormError('UNAVAILABLE', `The server ended by itself (${how}):\n${lastWords}`);
    });
    early.catch(() => {});
    try {
      const all = { ...storm, targets, httpTargets: [httpAddress] };
      const run = runAndShow(io, options, all, interruption);
      const exit = await interruption.orEnd(Promise.race([run, early]));
      isEvidence = exit === EXIT.failure;
      return exit;
    } finally {
      await server.end('SIGKILL');
    }
  } finally {
    if (isEvidence) io.say(`The data stays in ${dataDir}`);
    else removeDir(dataDir);
  }
}

async function runAndShow(
  io: CommandIo,
  options: OptionValues,
  storm: StormOptions,
  interruption: Interruption,
): Promise<ExitCode> {
  const [{ runStorm }, { stormLiveView }] = await Promise.all([
    import('../storm/run-storm.js'),
    import('../storm/live-view.js'),
  ]);
  const isTerminal = io.errIsTerminal && io.env['TERM'] !== 'dumb';
  const columns = () => Number(io.env['COLUMNS']) || TERMINAL_COLUMNS;
  const onView = stormLiveView(io.say, isTerminal, columns);
  const result = await runStorm(storm, { onView, isInterrupted: () => interruption.hasCome });
  return show(io, options, result);
}

async function show(io: CommandIo, options: OptionValues, result: StormResult): Promise<ExitCode> {
  const { badCountOf, formatResult, givenUpOf, jsonOf } = await import('../storm/storm-result.js');
  io.out(options['json'] === true ? `${JSON.stringify(jsonOf(result))}\n` : formatResult(result));
  const report = textOption(options, 'report');
  if (report !== undefined) {
    const { stormReport } = await import('../storm/storm-report.js');
    writeLocalFile(report, stormReport(result, packageVersion(), commandOf(options, result)));
    io.say(`The report is in ${report}`);
  }
  const record = textOption(options, 'record');
  if (record !== undefined) {
    const { recordedStormText } = await import('../storm/recorded-storm.js');
    writeLocalFile(record, recordedStormText(result));
    io.say(`The storm is recorded in ${record}`);
  }
  if (badCountOf(result) > 0) return EXIT.failure;
  return givenUpOf(result) > 0 ? EXIT.unavailable : EXIT.ok;
}

/** What was typed, with the seed, but for what only says where results go. */
function commandOf(options: OptionValues, { options: { seed } }: StormResult): string {
  const parts = Object.entries<string | true | undefined>({ ...options, seed: `${seed}` }).flatMap(
    ([name, value]) => {
      if (value === undefined || ['report', 'record', 'json'].includes(name)) return [];
      const flag = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
      return value === true ? [flag] : [flag, value];
    },
  );
  return ['stormkv storm', ...parts].join(' ');
}
