/** Load on unary doors, by C programs: what an answer costs the server, not the client. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { encodeSetRequest } from '../../src/rpc/kv-codec.js';
import { type Figures, rounded } from './rounds.js';
import { cpuSecondsOfProcess, Service } from './service.js';
import { sampleValue } from './storm-keys.js';
import { numberIn, runTool } from './tool.js';

export const KEY = 'sixteen-bytes-key';
const VALUE = sampleValue(1);

/** Completed calls and those that failed, by what the program says; undefined: not installed. */
interface Load {
  calls: number;
  failed: number;
  perSecond: number;
  latencyMs: number;
}
export type LoadMaker = (
  address: string,
  settings: Record<string, number>,
  dir: string,
) => Promise<Load | undefined>;

const GRPC_HEADERS = ['content-type: application/grpc', 'te: trailers'];

export const h2load: LoadMaker = async (address, settings, dir) => {
  const { seconds = 0, connections = 0, streams = 0 } = settings;
  const message = encodeSetRequest(Buffer.from(KEY), VALUE);
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  writeFileSync(`${dir}/request`, frame);
  const headers = GRPC_HEADERS.flatMap((header) => ['-H', header]);
  const sizes = ['-D', `${seconds}`, '-c', `${connections}`, '-m', `${streams}`];
  const url = `http://${address}/kv.Kv/Set`;
  const output = await runTool('h2load', [...sizes, '-d', `${dir}/request`, ...headers, url]);
  if (output === undefined) return undefined;
  const mean = /time for request:\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)/.exec(output);
  const unit = { us: 0.001, ms: 1, s: 1000 }[mean?.[2] ?? 'ms'] ?? 1;
  return {
    calls: numberIn(output, /(\d+) succeeded/),
    failed: numberIn(output, /(\d+) failed/),
    perSecond: numberIn(output, /finished in [^,]*, ([\d.]+) req\/s/),
    latencyMs: Number(mean?.[1] ?? 0) * unit,
  };
};

const SCRIPT = `
wrk.method = "POST"
wrk.body = string.rep("v", ${VALUE.length})
wrk.headers["content-type"] = "application/octet-stream"
done = function(summary, latency)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format("calls=%d failed=%d micros=%d mean=%f\\n",
    summary.requests, failed, summary.duration, latency.mean))
end
`;

export const wrk: LoadMaker = async (address, { seconds = 0, connections = 0 }, dir) => {
  writeFileSync(`${dir}/post.lua`, SCRIPT);
  const sizes = ['-t', '1', '-c', `${connections}`, '-d', `${seconds}s`];
  const url = `http://${address}/kv/${KEY}`;
  const output = await runTool('wrk', [...sizes, '-s', `${dir}/post.lua`, url]);
  if (output === undefined) return undefined;
  const calls = numberIn(output, /calls=(\d+)/);
  return {
    calls,
    failed: numberIn(output, /failed=(\d+)/),
    perSecond: (calls * 1e6) / numberIn(output, /micros=(\d+)/),
    latencyMs: numberIn(output, /mean=([\d.]+)/) / 1000,
  };
};

/** Our server under the load; what it counts as written must be at least what was answered. */
export async function loadOurs(
  load: LoadMaker,
  door: 'grpc' | 'http',
  settings: Record<string, number>,
  dir: string,
): Promise<Figures> {
  const service = await Service.start(`${dir}/data`);
  const cpu = service.cpuSeconds();
  const address = door === 'grpc' ? service.grpcAddress : service.httpAddress;
  const done = await load(address, settings, dir);
  const spent = service.cpuSeconds() - cpu;
  const durable = await service.total('writeEntriesTotal');
  await service.stop();
  if (done === undefined) return { absent: 'the load generator is not installed' };
  if (done.failed > 0 || durable < done.calls) {
    throw new Error(`${done.calls} calls, ${done.failed} failed, ${durable} durable writes`);
  }
  const again = await Service.start(`${dir}/data`);
  const found = await fetch(`http://${again.httpAddress}/kv/${KEY}`);
  const version = Number(found.headers.get('etag')?.replaceAll('"', ''));
  await again.stop();
  if (!found.ok || version < done.calls) throw new Error(`Version ${version} of ${done.calls}`);
  return { ...figuresOf(done, spent), durable, versionAfterRestart: version };
}

/** A server of the same library that only answers. */
export async function loadAckOnly(
  load: LoadMaker,
  door: 'grpc' | 'http',
  settings: Record<string, number>,
  dir: string,
): Promise<Figures> {
  const script = fileURLToPath(new URL('./ack-only.js', import.meta.url));
  const server = spawn(process.execPath, [script, door], { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = new Promise((resolve) => server.once('exit', resolve));
  try {
    const port = await new Promise<string>((resolve) => {
      server.stdout.once('data', (chunk) => resolve(String(chunk).trim()));
    });
    const cpu = cpuSecondsOfProcess(server.pid ?? 0);
    const done = await load(`127.0.0.1:${port}`, settings, dir);
    if (done === undefined) return { absent: 'the load generator is not installed' };
    return figuresOf(done, cpuSecondsOfProcess(server.pid ?? 0) - cpu);
  } finally {
    server.kill();
    await gone;
  }
}

function figuresOf({ calls, perSecond, latencyMs }: Load, cpuSeconds: number): Figures {
  return {
    callsPerSecond: rounded(perSecond),
    latencyMsMean: rounded(latencyMs),
    serverCpuMicrosPerCall: rounded((cpuSeconds * 1e6) / calls),
    calls,
  };
}
