/** Redis on a port of its own, its log synced before each answer; through redis-benchmark. */
import { execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { type Figures, rounded } from './rounds.js';

const PIPELINE = 256;

/** Undefined when redis is not installed. */
export async function redisBenchmark(
  dir: string,
  test: 'set' | 'get',
  requests: number,
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
      const flags = ['-p', `${port}`, '-P', `${PIPELINE}`, '-n', `${count}`, '-r', '100000000'];
      const output = execFileSync(
        'redis-benchmark',
        [...flags, '-d', '64', '-t', name, '--csv', '-q'],
        { encoding: 'utf8' },
      );
      const line = output.split('\n').find((text) => text.toLowerCase().startsWith(`"${name}`));
      return Number(line?.split(',')[1]?.replaceAll('"', '') ?? Number.NaN);
    };
    if (test === 'get') bench('set', requests);
    return { entriesPerSecond: rounded(bench(test, requests)), pipeline: PIPELINE };
  } finally {
    server.kill();
    await gone;
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
