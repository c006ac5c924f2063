import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ServerProcess } from '../../src/demo/server-process.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('ServerProcess');
const READY =
  'stormkv 0.0.1 ready  grpc 127.0.0.1:1  http 127.0.0.1:2  shards 3  data x  ' +
  'recovered 4 records in 5 ms  pid 6';
const SERVES = `console.log('hello');
  console.log(${JSON.stringify(READY)});
  setInterval(() => {}, 1e6);`;

/** Starts a script in place of the server and ends it afterwards. */
function started<T>(
  source: string,
  body: (start: () => Promise<ServerProcess>) => Promise<T>,
  readyTimeoutMs = 10_000,
): Promise<T> {
  return withTempDir(async (dir) => {
    const script = join(dir, 'server.mjs');
    writeFileSync(script, source);
    const options = { dataDir: dir, shardCount: 3, env: process.env, script, readyTimeoutMs };
    return body(() => ServerProcess.start(options));
  });
}

async function messageOfRejection(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
  throw new Error('It did not reject');
}

test('knows what the ready line says, and that a killed process is gone', async () => {
  await started(SERVES, async (start) => {
    const server = await start();
    assert.is(server.info.grpcAddress, '127.0.0.1:1');
    assert.is(server.info.shardCount, 3);
    const { code, signal } = await server.end('SIGKILL');
    assert.equal([code, signal], [null, 'SIGKILL']);
  });
});

test('passes data dir, free ports and shards as flags', async () => {
  const source = `console.error(process.argv.slice(2).join(' ')); process.exit(3);`;
  await started(source, async (start) => {
    const message = await messageOfRejection(start());
    assert.match(message, /^The server ended before it was ready \(exit 3\):\nserve --data-dir /);
    assert.match(message, / --grpc 127\.0\.0\.1:0 --http 127\.0\.0\.1:0 --shards 3$/);
  });
});

test('an orderly stop reports the exit code and the last lines of stderr', async () => {
  const source = `process.on('SIGTERM', () => {
    for (let i = 0; i < 100; i++) console.error('line', i);
    process.exitCode = 5;
    clearInterval(alive);
  });
  const alive = setInterval(() => {}, 1e6);
  console.log(${JSON.stringify(READY)});`;
  await started(source, async (start) => {
    const { code, lastWords } = await (await start()).end('SIGTERM');
    assert.is(code, 5);
    assert.equal(lastWords.split('\n').length, 20);
    assert.match(lastWords, /line 99$/);
  });
});

test('a server that never gets ready is given up and killed', async () => {
  const start = (begin: () => Promise<ServerProcess>) => messageOfRejection(begin());
  const message = await started(`setInterval(() => {}, 1e6);`, start, 200);
  assert.is(message, 'The server was not ready within 200 ms');
});

run();
