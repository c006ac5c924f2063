/** From the options of `stormkv storm` to those of a storm. */
import { fileURLToPath } from 'node:url';
import { parseAddress } from '../base/address.js';
import { StormError } from '../base/errors.js';
import { systemClock } from '../base/system-clock.js';
import { readRecordedStorm } from '../storm/recorded-storm.js';
import { DOORS } from '../storm/storm-door.js';
import type { Pace, StormOptions } from '../storm/storm-options.js';
import { PROFILES, type Profile, type ProfileName } from '../storm/workload.js';
import { type CommandIo, type CommandOption, type OptionValues, textOption } from './command.js';
import { numberOption, parseNumber } from './parse-number.js';

export const TARGET_DEFAULT = '127.0.0.1:8081';
const FORM_DEFAULT = fileURLToPath(
  new URL('../../../examples/questionnaires/daily-symptom-diary.json', import.meta.url),
);
const VERIFY = ['all', 'sample', 'none'] as const;
const PATIENTS_DEFAULT = 20_000;
const EPRO_DURATION_S = 60;
const DURATION_S = 10;
const RATE_DEFAULT = 10_000;
const SEED_MAX = 2 ** 31;
const COUNT_MAX = 1_000_000_000;
const ENTRIES_MAX = 10_000;
const VALUE_BYTES_MAX = 1024 * 1024;
const RATE_MAX = 10_000_000;
const DURATION_S_MAX = 10_000_000;
/** Keys and skew where they are not given. */
const KEYS: Readonly<Record<'hotkeys' | 'overwrite' | 'mixed', readonly [number, number]>> = {
  hotkeys: [100_000, 0.99],
  overwrite: [1000, 0],
  mixed: [100_000, 0.99],
};

export const STORM_OPTIONS: readonly CommandOption[] = [
  { flags: '--profile <name>', help: `one of: ${PROFILES.join(', ')}`, default: 'epro' },
  {
    flags: '-t, --target <host:port>',
    help: `gRPC address; several with commas (default: STORMKV_TARGET, else ${TARGET_DEFAULT})`,
  },
  { flags: '--start', help: 'a server of its own in a temporary folder' },
  { flags: '-s, --shards <number>', help: 'of the server of --start (default: its own choice)' },
  { flags: '--door <name>', help: `one of: ${DOORS.join(', ')}`, default: 'client' },
  {
    flags: '--http-target <host:port>',
    help: 'HTTP address, for --door http; several with commas',
  },
  { flags: '-q, --questionnaire <file>', help: 'epro: a FHIR Questionnaire (default: our own)' },
  { flags: '-p, --patients <number>', help: `epro: who submit (default: ${PATIENTS_DEFAULT})` },
  {
    flags: '--duration <seconds>',
    help: `how long (default: ${EPRO_DURATION_S} for epro, else ${DURATION_S})`,
  },
  {
    flags: '--rate <number>',
    help: `open loop: entries and reads per second (default: epro its curve, else ${RATE_DEFAULT})`,
  },
  { flags: '--callers <number>', help: 'closed loop: so many, each waiting for its answer' },
  { flags: '--replay <file>', help: 'submissions at the pace of a recorded storm' },
  { flags: '--submissions <number>', help: 'end after so many' },
  { flags: '--entries <number>', help: 'in a submission, but for epro', default: '1' },
  { flags: '--value-bytes <number>', help: 'of each value, but for epro', default: '64' },
  { flags: '--keys <number>', help: 'hotkeys, overwrite, mixed: how many there are' },
  { flags: '--skew <number>', help: 'hotkeys, mixed: exponent of Zipf’s law (default: 0.99)' },
  { flags: '--read-share <number>', help: 'mixed: reads, from 0 to 1 (default: 0.5)' },
  { flags: '--threads <number>', help: 'that make the load', default: '2' },
  { flags: '--connections <number>', help: 'to each target, of each thread', default: '2' },
  { flags: '--warm-up <seconds>', help: 'that do not count in rate and latency', default: '0' },
  { flags: '--patience <seconds>', help: 'until a write is given up', default: '60' },
  { flags: '--verify <mode>', help: `read back: ${VERIFY.join(', ')}`, default: 'all' },
  { flags: '--seed <number>', help: 'repeat the submissions of a run' },
  { flags: '-r, --report <file>', help: 'write a report (HTML, one file)' },
  { flags: '--record <file>', help: 'write the storm as numbers, to replay and to plan with' },
  { flags: '--json', help: 'print the result as JSON' },
];

/** Reads the files that are named. Throws INVALID_ARGUMENT. */
export async function stormOptionsOf(io: CommandIo, options: OptionValues): Promise<StormOptions> {
  const whole = (name: string, flag: string, min: number, max: number) =>
    numberOption(options, name, flag, min, max);
  const name = oneOf('--profile', textOption(options, 'profile') ?? 'epro', PROFILES);
  const profile = await profileOf(io, options, name);
  const patients = whole('patients', '--patients', 1, COUNT_MAX);
  if (patients !== undefined && name !== 'epro') throw onlyFor('--patients', 'epro');
  const pace = paceOf(io, options, name, patients);
  const isEpro = name === 'epro';
  const submissions = whole('submissions', '--submissions', 1, COUNT_MAX);
  const seconds = isEpro ? EPRO_DURATION_S : DURATION_S;
  const all = isEpro ? eproSubmissions(pace, patients) : Number.POSITIVE_INFINITY;
  return {
    profile,
    pace,
    targets: addressesOf(options, 'target'),
    httpTargets: addressesOf(options, 'httpTarget'),
    door: oneOf('--door', textOption(options, 'door') ?? 'client', DOORS),
    durationS: whole('duration', '--duration', 1, DURATION_S_MAX) ?? seconds,
    warmUpS: whole('warmUp', '--warm-up', 0, DURATION_S_MAX) ?? 0,
    submissionsMax: Math.min(submissions ?? Number.POSITIVE_INFINITY, all),
    threads: whole('threads', '--threads', 1, 64) ?? 2,
    connections: whole('connections', '--connections', 1, 64) ?? 2,
    patienceS: whole('patience', '--patience', 1, 3600) ?? 60,
    verify: oneOf('--verify', textOption(options, 'verify') ?? 'all', VERIFY),
    seed: whole('seed', '--seed', 0, SEED_MAX) ?? systemClock.wallMs() % SEED_MAX,
  };
}

/** Patients; a recorded pace brings as many as it has submissions. */
function eproSubmissions(pace: Pace, patients: number | undefined): number {
  if (patients !== undefined || pace.kind !== 'recorded') return patients ?? PATIENTS_DEFAULT;
  return pace.perSecond.reduce((sum, count) => sum + count, 0);
}

async function profileOf(
  io: CommandIo,
  options: OptionValues,
  name: ProfileName,
): Promise<Profile> {
  if (name !== 'epro' && textOption(options, 'questionnaire') !== undefined) {
    throw onlyFor('--questionnaire', 'epro');
  }
  if (name === 'epro') {
    const path = textOption(options, 'questionnaire') ?? FORM_DEFAULT;
    const { readQuestionnaire } = await import('../demo/questionnaire.js');
    return { name, form: readQuestionnaire(path, io.readFile(path).toString('utf8')) };
  }
  const entries = numberOption(options, 'entries', '--entries', 1, ENTRIES_MAX) ?? 1;
  const valueBytes = numberOption(options, 'valueBytes', '--value-bytes', 1, VALUE_BYTES_MAX) ?? 64;
  if (name === 'uniform') return { name, entries, valueBytes };
  const [usualKeys, usualSkew] = KEYS[name];
  const keys = numberOption(options, 'keys', '--keys', 1, COUNT_MAX) ?? usualKeys;
  const skew = name === 'overwrite' ? 0 : fractionOf(options, 'skew', '--skew', 4, usualSkew);
  const readShare = name === 'mixed' ? fractionOf(options, 'readShare', '--read-share', 1, 0.5) : 0;
  return { name, keys, skew, readShare, entries, valueBytes };
}

function paceOf(
  io: CommandIo,
  options: OptionValues,
  name: ProfileName,
  patients: number | undefined,
): Pace {
  const given = ['rate', 'callers', 'replay'].filter((one) => options[one] !== undefined);
  if (given.length > 1) {
    throw invalid(`Only one of --rate, --callers and --replay: found --${given.join(' and --')}`);
  }
  const callers = textOption(options, 'callers');
  if (callers !== undefined) {
    return { kind: 'callers', count: parseNumber('--callers', callers, 1, 100_000) };
  }
  const replay = textOption(options, 'replay');
  if (replay !== undefined) {
    const recorded = readRecordedStorm(replay, io.readFile(replay).toString('utf8'));
    return { kind: 'recorded', perSecond: recorded.submissionsPerSecond };
  }
  const rate = textOption(options, 'rate');
  if (rate === undefined && name === 'epro') {
    return { kind: 'push', submissions: patients ?? PATIENTS_DEFAULT };
  }
  const perSecond = rate === undefined ? RATE_DEFAULT : parseNumber('--rate', rate, 1, RATE_MAX);
  return { kind: 'rate', perSecond };
}

function addressesOf(options: OptionValues, name: string): string[] {
  const addresses = textOption(options, name)?.split(',') ?? [];
  return addresses.map((address) => {
    parseAddress(address.trim());
    return address.trim();
  });
}

function oneOf<T extends string>(flag: string, text: string, known: readonly T[]): T {
  const found = known.find((one) => one === text);
  if (found !== undefined) return found;
  throw invalid(`${flag} must be one of ${known.join(', ')}: found ${JSON.stringify(text)}`);
}

function fractionOf(
  options: OptionValues,
  name: string,
  flag: string,
  max: number,
  usual: number,
): number {
  const text = textOption(options, name);
  if (text === undefined) return usual;
  const value = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= max) return value;
  throw invalid(`${flag} must be a number from 0 to ${max}: found ${JSON.stringify(text)}`);
}

function onlyFor(flag: string, profile: ProfileName): StormError {
  return invalid(`${flag} is for the profile ${profile} only`);
}

function invalid(text: string): StormError {
  return new StormError('INVALID_ARGUMENT', text);
}
