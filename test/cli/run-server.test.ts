import * as assert from 'uvu/assert';
import { CorruptionError, StormError } from '../../src/base/errors.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { parseReadyLine } from '../../src/cli/ready-line.js';
import { runServer, type ServedCluster, type ServerWorld } from '../../src/cli/run-server.js';
import { configWith } from '../../src/config/load-config.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('runServer');
const CONFIG = configWith({ limits: { drainMsMax: 1000 } });
const NEVER = new Promise<never>(() => {});

interface Rig {
  world: ServerWorld;
  printed: string[];
  said: string[];
  exits: number[];
  sleeps: number[];
  closes: number;
  signal(name: string): void;
  /** Resolves when the ready line is out. */
  ready: Promise<void>;
}

function rigOf(changes: Partial<ServedCluster> = {}, worldChanges: Partial<ServerWorld> = {}): Rig {
  const signals: ((name: string) => void)[] = [];
  let announceReady = () => {};
  const ready = new Promise<void>((resolve) => {
    announceReady = resolve;
  });
  const rig: Rig = {
    printed: [],
    said: [],
    exits: [],
    sleeps: [],
    closes: 0,
    ready,
    signal: (name) => {
      for (const callback of signals) callback(name);
    },
    world: {
      version: '1.2.3',
      pid: 42,
      print(line) {
        rig.printed.push(line);
        announceReady();
      },
      say: (line) => void rig.said.push(line),
      onStopSignal: (callback) => void signals.push(callback),
      exitNow: (code) => void rig.exits.push(code),
      sleep(ms) {
        rig.sleeps.push(ms);
        return NEVER;
      },
      start: () => Promise.resolve({ ...CLUSTER, close: closeOf(rig), ...changes }),
      ...worldChanges,
    },
  };
  return rig;
}

const CLUSTER: Omit<ServedCluster, 'close'> = {
  grpcAddress: '127.0.0.1:1',
  grpcAddresses: ['127.0.0.1:1'],
  httpAddress: '127.0.0.1:2',
  shardCount: 2,
  dataDir: '/d',
  recoveredRecords: 5,
  startedMs: 6.7,
  refusedShards: [],
  closed: NEVER,
  reload: () => ({ applied: [], needRestart: [], securityChanged: false, securityError: '' }),
};

/** Sleeps that end when the test says so. */
function manualSleep() {
  const ends = new Map<number, () => void>();
  return {
    sleep: (ms: number) => new Promise<void>((resolve) => ends.set(ms, resolve)),
    async end(ms: number): Promise<void> {
      ends.get(ms)?.();
      await Promise.resolve();
    },
  };
}

function closeOf(rig: Rig): () => Promise<void> {
  return () => {
    rig.closes++;
    return Promise.resolve();
  };
}

test('prints one ready line, and closes the cluster at the first signal', async () => {
  const rig = rigOf();
  const exit = runServer(CONFIG, rig.world);
  await rig.ready;
  assert.is(rig.closes, 0);
  assert.is(rig.printed.length, 1);
  assert.equal(parseReadyLine(rig.printed[0] ?? ''), {
    version: '1.2.3',
    grpcAddress: '127.0.0.1:1',
    furtherGrpcAddresses: [],
    httpAddress: '127.0.0.1:2',
    shardCount: 2,
    dataDir: '/d',
    recoveredRecords: 5,
    startedMs: 7,
    pid: 42,
    refusedShards: [],
  });
  rig.signal('SIGTERM');
  assert.is(await exit, EXIT.ok);
  assert.is(rig.closes, 1);
  assert.equal(rig.exits, []);
});

test('a signal while starting closes the cluster as soon as it has started', async () => {
  const rig = rigOf();
  const exit = runServer(CONFIG, rig.world);
  rig.signal('SIGINT');
  assert.is(await exit, EXIT.ok);
  assert.is(rig.closes, 1);
});

test('a second signal ends the process at once', async () => {
  const pause = manualSleep();
  const rig = rigOf({ close: () => NEVER }, { sleep: pause.sleep });
  runServer(CONFIG, rig.world).catch(assert.unreachable);
  await rig.ready;
  rig.signal('SIGTERM');
  assert.equal(rig.exits, []);
  await pause.end(300);
  rig.signal('SIGINT');
  assert.equal(rig.exits, [EXIT.failure]);
});

test('a signal that arrives twice at once, as under npm start, is one', async () => {
  const rig = rigOf();
  const exit = runServer(CONFIG, rig.world);
  await rig.ready;
  rig.signal('SIGINT');
  rig.signal('SIGINT');
  assert.is(await exit, EXIT.ok);
  assert.equal(rig.exits, []);
});

test('a stop that takes too long is given up with exit code 1', async () => {
  const sleeps: number[] = [];
  const sleep = (ms: number) => {
    sleeps.push(ms);
    return Promise.resolve();
  };
  const rig = rigOf({ close: () => NEVER }, { sleep });
  const exit = runServer(CONFIG, rig.world);
  rig.signal('SIGTERM');
  assert.is(await exit, EXIT.failure);
  assert.equal(sleeps, [300, 11_000]);
  assert.match(rig.said.at(-1) ?? '', 'Not stopped within 11000 ms');
});

test('names the shards that refuse their data', async () => {
  const rig = rigOf({ refusedShards: [{ shard: 1, reason: 'damaged (file x)' }] });
  runServer(CONFIG, rig.world).catch(assert.unreachable);
  await rig.ready;
  assert.equal(rig.said, ['Shard 1 does not serve, the others do: damaged (file x)']);
  assert.equal(parseReadyLine(rig.printed[0] ?? '')?.refusedShards, [1]);
});

test('a cluster that ends without a signal is a failure', async () => {
  const rig = rigOf({ closed: Promise.resolve() });
  assert.is(await runServer(CONFIG, rig.world), EXIT.failure);
});

test('a failed start prints nothing on stdout, says why and what to do', async () => {
  const cases: [Error, number, RegExp][] = [
    [
      new CorruptionError('Bad root', { file: 'ROOT', offset: 7 }),
      EXIT.corruption,
      /^Cannot start: Bad root \(file ROOT, offset 7\)\nNothing was changed/,
    ],
    [
      new StormError('UNAVAILABLE', 'Cannot listen: listen EADDRINUSE'),
      EXIT.failure,
      /choose one with --grpc or --http/,
    ],
    [new StormError('FAILED_PRECONDITION', 'In use'), EXIT.failure, /^Cannot start: In use$/],
    [new Error('a bug'), EXIT.failure, /a bug\nThis is not expected[\s\S]*Error: a bug/],
  ];
  for (const [error, code, message] of cases) {
    const rig = rigOf({}, { start: () => Promise.reject(error) });
    assert.is(await runServer(CONFIG, rig.world), code);
    assert.is(rig.printed.length, 0);
    assert.match(rig.said.join('\n'), message);
  }
});

run();
