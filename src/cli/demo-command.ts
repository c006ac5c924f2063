import { fileURLToPath } from 'node:url';
import { StormError } from '../base/errors.js';
import { systemClock } from '../base/system-clock.js';
import type { ServerSession } from '../demo/server-session.js';
import type { Trial } from '../demo/storm.js';
import { type CommandIo, type CommandSpec, type OptionValues, textOption } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { isEmptyDir, makeTempDir, removeDir } from './local-files.js';
import { parseNumber } from './parse-number.js';

const FORM_DEFAULT = fileURLToPath(
  new URL('../../../examples/questionnaires/daily-symptom-diary.json', import.meta.url),
);
const PATIENTS_MAX = 1_000_000;
const SHARDS_MAX = 256;
const KILLS_MAX = 1000;
const SEED_MAX = 2 ** 31;
const READY_TIMEOUT_MS = 60_000;

export const demoCommand: CommandSpec = {
  name: 'demo',
  summary: 'Patients submit questionnaires, the server is killed, every answer is looked for',
  arguments: [],
  options: [
    { flags: '-q, --questionnaire <file>', help: 'any FHIR R4 Questionnaire (default: our own)' },
    { flags: '-p, --patients <number>', help: 'how many patients submit', default: '1000' },
    { flags: '-s, --shards <number>', help: 'shards of the server (default: its own choice)' },
    { flags: '-k, --kills <number>', help: 'SIGKILLs in mid-storm', default: '1' },
    { flags: '-d, --data-dir <path>', help: 'an empty folder, kept (default: a temporary one)' },
    { flags: '--seed <number>', help: 'repeat the answers and kill moments of a run' },
    { flags: '--json', help: 'print the report as JSON' },
  ],
  examples: [
    'stormkv demo',
    'stormkv demo --patients 2000 --shards 4 --kills 5',
    'stormkv demo --questionnaire phq9.json --json',
  ],
  run: (io, _args, options) => runCommand(io, options),
};

async function runCommand(io: CommandIo, options: OptionValues): Promise<ExitCode> {
  const number = (name: string, max: number, min: number, text: string) =>
    parseNumber(`--${name}`, textOption(options, name) ?? text, min, max);
  const patientCount = number('patients', PATIENTS_MAX, 1, '1000');
  const killCount = number('kills', KILLS_MAX, 0, '1');
  const seed = number('seed', SEED_MAX, 0, String(systemClock.wallMs() % SEED_MAX));
  const hasShards = textOption(options, 'shards') !== undefined;
  const shardCount = hasShards ? number('shards', SHARDS_MAX, 1, '') : undefined;
  const { readQuestionnaire } = await import('../demo/questionnaire.js');
  const path = textOption(options, 'questionnaire') ?? FORM_DEFAULT;
  const form = readQuestionnaire(path, io.readFile(path).toString('utf8'));
  const demo = { trial: { form, patientCount, seed }, killCount };
  return withDataDir(io, textOption(options, 'dataDir'), (dataDir) =>
    runIn(io, { dataDir, shardCount, isJson: options['json'] === true, ...demo }),
  );
}

/** A temporary folder is removed, unless the demo failed: then it is evidence. */
async function withDataDir(
  io: CommandIo,
  given: string | undefined,
  body: (dir: string) => Promise<ExitCode>,
): Promise<ExitCode> {
  if (given !== undefined) {
    if (isEmptyDir(given)) return body(given);
    const text = `--data-dir must be an empty folder for the demo: there is something in ${given}`;
    throw new StormError('INVALID_ARGUMENT', text);
  }
  const dir = makeTempDir('stormkv-demo-');
  let isEvidence = true;
  try {
    const exit = await body(dir);
    isEvidence = exit !== EXIT.ok;
    return exit;
  } catch (error) {
    isEvidence = !(error instanceof StormError && error.code === 'ABORTED');
    throw error;
  } finally {
    if (isEvidence) io.say(`The data stays in ${dir}`);
    else removeDir(dir);
  }
}

interface DemoRun {
  trial: Trial;
  killCount: number;
  dataDir: string;
  shardCount: number | undefined;
  isJson: boolean;
}

async function runIn(io: CommandIo, run: DemoRun): Promise<ExitCode> {
  // Loaded here, so that other commands and --help start without them.
  const [{ runDemo }, { formatReport, isIntact }, { barProgress, lineProgress }] =
    await Promise.all([
      import('../demo/run-demo.js'),
      import('../demo/report.js'),
      import('../demo/progress.js'),
    ]);
  const session = await openSession(io, run);
  const { monotonicMs } = systemClock;
  const hasBar = io.errIsTerminal && io.env['TERM'] !== 'dumb';
  const progress = (hasBar ? barProgress : lineProgress)({ say: io.say, monotonicMs });
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  try {
    const demo = runDemo({ ...run, session, progress, monotonicMs, sleep });
    const report = await Promise.race([demo, interruption()]);
    io.out(run.isJson ? `${JSON.stringify(report)}\n` : formatReport(report));
    return isIntact(report) ? EXIT.ok : EXIT.failure;
  } finally {
    progress.close();
    await session.stop('SIGKILL');
  }
}

async function openSession(io: CommandIo, run: DemoRun): Promise<ServerSession> {
  const [{ ServerSession }, { ServerProcess }, { openDoors }] = await Promise.all([
    import('../demo/server-session.js'),
    import('../demo/server-process.js'),
    import('../demo/open-doors.js'),
  ]);
  const { dataDir, shardCount } = run;
  const options = { dataDir, shardCount, env: io.env, readyTimeoutMs: READY_TIMEOUT_MS };
  return new ServerSession({
    startServer: () => ServerProcess.start(options),
    openDoors: (addresses) => openDoors(addresses, systemClock.wallMs),
    monotonicMs: systemClock.monotonicMs,
  });
}

/** Rejects at Ctrl-C and the like, so that no server and no temporary folder is left behind. */
function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => reject(new StormError('ABORTED', `Ended by ${signal}`)));
    }
  });
}
