/** Redis on a port of its own, its log synced before each answer; through redis-benchmark. */
import { execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { type Figures, rounded } from './rounds.js';

const PIPELINE = 256;
/** By one script, which nothing interrupts. */
const FILL_KEYS = 100_000;

/** Undefined when redis is not installed. */
export async function redisBenchmark(
  dir: string,
  test: 'set' | 'get',
  requests: number,
  keySpace = 100_000_000,
): Promise<Figures | undefined> {
  try {
    execFileSync('redis-server', ['--version']);
  } catch {
    return undefined;
  }
  const port = await freePort();
  const options = ['--port', `${port}`, '--dir', dir, '--save', '', '--appendonly', 'yes'];
  const server = spawn('redis-server', [...options, '--appendfsync', 'always'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = new Promise((resolve) => server.once('exit', resolve));
  try {
    await new Promise<void>((resolve) => {
      server.stdout.on('data', (chunk) => String(chunk).includes('Ready to accept') && resolve());
    });
    const bench = (name: string, count: number): number => {
      const flags = ['-p', `${port}`, '-P', `${PIPELINE}`, '-n', `${count}`, '-r', `${keySpace}`];
      const output = execFileSync(
        'redis-benchmark',
        [...flags, '-d', '64', '-t', name, '--csv', '-q'],
        { encoding: 'utf8' },
      );
      const line = output.split('\n').find((text) => text.toLowerCase().startsWith(`"${name}`));
      return Number(line?.split(',')[1]?.replaceAll('"', '') ?? Number.NaN);
    };
    if (test === 'get') fill(port, keySpace);
    return { entriesPerSecond: rounded(bench(test, requests)), pipeline: PIPELINE };
  } finally {
    server.kill();
    await gone;
  }
}

/** Every key that redis-benchmark may ask for gets a value. */
function fill(port: number, keys: number): void {
  const script =
    'for i = ARGV[1], ARGV[2] - 1 do ' +
    "redis.call('SET', string.format('key:%012d', i), string.rep('v', 64)) end";
  for (let from = 0; from < keys; from += FILL_KEYS) {
    const bounds = [`${from}`, `${Math.min(keys, from + FILL_KEYS)}`];
    execFileSync('redis-cli', ['-p', `${port}`, 'eval', script, '0', ...bounds]);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        resolve(typeof address === 'object' && address !== null ? address.port : 0),
      );
    });
  });
}
