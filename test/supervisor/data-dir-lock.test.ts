import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, lstatSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { systemRandom } from '../../src/base/random.js';
import { DataDirLock } from '../../src/supervisor/data-dir-lock.js';
import { systemTimers } from '../../src/supervisor/timers.js';
import { ManualClock } from '../harness/manual-clock.js';
import { openFiles } from '../harness/open-files.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';

const { test, run } = suite('DataDirLock');
const CONTENDER = fileURLToPath(new URL('../harness/lock-contender.js', import.meta.url));
const env = { clock: new ManualClock(), random: systemRandom, timers: systemTimers };

/** Another process that wants the lock. */
class Contender {
  readonly process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcess) {
    this.process = process;
    if (process.stdout === null) throw new Error('The contender has no output');
    this.#lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  }

  static async start(dir: string): Promise<Contender> {
    const stdio = ['pipe', 'pipe', 'inherit'] as const;
    const contender = new Contender(
      spawn(process.execPath, [CONTENDER, dir], { stdio: [...stdio] }),
    );
    assert.is(await contender.#line(), 'ready');
    return contender;
  }

  ask(command: 'acquire' | 'release'): Promise<string> {
    this.process.stdin?.write(`${command}\n`);
    return this.#line();
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exit = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await exit;
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    return done === true ? 'ended' : value;
  }
}

async function withContenders(
  dir: string,
  count: number,
  body: (contenders: Contender[]) => Promise<void>,
): Promise<void> {
  const contenders = await Promise.all(Array.from({ length: count }, () => Contender.start(dir)));
  try {
    await body(contenders);
  } finally {
    await Promise.all(contenders.map((contender) => contender.kill()));
  }
}

/** Leaves a socket at `dir/name` whose process is gone, as a killed owner does. */
async function putDeadSocket(dir: string, name: string): Promise<bigint> {
  const server = createServer();
  server.listen(`${dir}/dying`);
  await once(server, 'listening');
  linkSync(`${dir}/dying`, `${dir}/${name}`);
  server.close();
  await once(server, 'close');
  return lstatSync(`${dir}/${name}`, { bigint: true }).ino;
}

async function refusal(dir: string): Promise<StormError> {
  try {
    await DataDirLock.acquire(dir, env);
  } catch (error) {
    if (error instanceof StormError) return error;
    throw error;
  }
  throw new Error('Expected a refusal');
}

test('is taken, refused to a second owner, released, and taken again', () =>
  withTempDir(async (dir) => {
    const lock = await DataDirLock.acquire(dir, env);
    assert.equal(readdirSync(dir), ['LOCK']);
    assert.ok(lock.isIntact());
    const error = await refusal(dir);
    assert.is(error.code, 'FAILED_PRECONDITION');
    assert.match(error.message, new RegExp(`process ${process.pid} on .*2024-01-01`));
    assert.equal(readdirSync(dir), ['LOCK']);
    await lock.release();
    await lock.release();
    assert.not.ok(lock.isIntact());
    assert.equal(readdirSync(dir), []);
    await (await DataDirLock.acquire(dir, env)).release();
  }));

test('refuses while another process has it, naming its pid, and takes over when it is killed', () =>
  withTempDir((dir) =>
    withContenders(dir, 1, async ([owner]) => {
      assert.is(await owner?.ask('acquire'), 'won');
      assert.match((await refusal(dir)).message, new RegExp(`process ${owner?.process.pid} on`));
      await owner?.kill();
      assert.equal(readdirSync(dir), ['LOCK']);
      const lock = await DataDirLock.acquire(dir, env);
      assert.equal(readdirSync(dir), ['LOCK']);
      await lock.release();
    }),
  ));

test('counts a stopped owner as alive', () =>
  withTempDir((dir) =>
    withContenders(dir, 1, async ([owner]) => {
      assert.is(await owner?.ask('acquire'), 'won');
      owner?.process.kill('SIGSTOP');
      assert.match((await refusal(dir)).message, /too busy to say its pid/);
      owner?.process.kill('SIGCONT');
    }),
  ));

test('lets exactly one of 8 processes take over a dead lock, ten times', () =>
  withTempDir((dir) =>
    withContenders(dir, 8, async (contenders) => {
      await putDeadSocket(dir, 'LOCK');
      for (let round = 0; round < 10; round++) {
        const answers = await Promise.all(contenders.map((each) => each.ask('acquire')));
        const winner = answers.indexOf('won');
        const pid = contenders[winner]?.process.pid;
        for (const [i, answer] of answers.entries()) {
          if (i !== winner) assert.match(answer, new RegExp(`^lost .*(process ${pid} on)`));
        }
        // The next round fights for the lock of a process that was killed.
        await contenders[winner]?.kill();
        contenders[winner] = await Contender.start(dir);
      }
    }),
  ));

test('lets exactly one of 8 processes take a free lock, and passes it on when released', () =>
  withTempDir((dir) =>
    withContenders(dir, 8, async (contenders) => {
      for (let round = 0; round < 20; round++) {
        const answers = await Promise.all(contenders.map((each) => each.ask('acquire')));
        assert.is(answers.filter((answer) => answer === 'won').length, 1, answers.join('\n'));
        await contenders[answers.indexOf('won')]?.ask('release');
      }
      assert.equal(readdirSync(dir), []);
    }),
  ));

test('takes over from a taker that was killed while it held the guard, at any depth', () =>
  withTempDir(async (dir) => {
    let inode = await putDeadSocket(dir, 'LOCK');
    for (let depth = 0; depth < 3; depth++) inode = await putDeadSocket(dir, `LOCK.${inode}`);
    const lock = await DataDirLock.acquire(dir, env);
    assert.equal(readdirSync(dir), ['LOCK']);
    await lock.release();
  }));

test('sweeps up after killed takers and leaves the files of others alone', () =>
  withTempDir(async (dir) => {
    for (const name of ['LOCK.123456', 'LOCK.00c0ffee.tmp']) await putDeadSocket(dir, name);
    for (const name of ['LOCK.txt', 'ROOT', 'ROOT.tmp', 'LOCK.'])
      writeFileSync(`${dir}/${name}`, '');
    const lock = await DataDirLock.acquire(dir, env);
    assert.equal(readdirSync(dir).sort(byCodeUnit), [
      'LOCK',
      'LOCK.',
      'LOCK.txt',
      'ROOT',
      'ROOT.tmp',
    ]);
    await lock.release();
  }));

test('waits for a living taker instead of pushing it aside', () =>
  withTempDir(async (dir) => {
    const inode = await putDeadSocket(dir, 'LOCK');
    const taker = createServer((peer) => peer.end('{}\n')).listen(`${dir}/LOCK.${inode}`);
    await once(taker, 'listening');
    taker.unref();
    const waits: (() => void)[] = [];
    let waiting = (): void => undefined;
    const firstWait = new Promise<void>((resolve) => {
      waiting = resolve;
    });
    const timers = {
      ...systemTimers,
      after(_ms: number, task: () => void) {
        waits.push(task);
        waiting();
        return () => undefined;
      },
    };
    const acquiring = DataDirLock.acquire(dir, { ...env, timers });
    await firstWait;
    assert.is(lstatSync(`${dir}/LOCK`, { bigint: true }).ino, inode);
    taker.close();
    await once(taker, 'close');
    for (const task of waits) task();
    const lock = await acquiring;
    assert.is.not(lstatSync(`${dir}/LOCK`, { bigint: true }).ino, inode);
    await lock.release();
  }));

test('takes over a plain file, which a restored backup may have in its place', () =>
  withTempDir(async (dir) => {
    writeFileSync(`${dir}/LOCK`, 'left over');
    await (await DataDirLock.acquire(dir, env)).release();
    assert.equal(readdirSync(dir), []);
  }));

test('works in a folder whose path is longer than a socket address', () =>
  withTempDir(async (dir) => {
    const deep = `${dir}/${'d'.repeat(120)}/${'e'.repeat(120)}`;
    mkdirSync(deep, { recursive: true });
    const lock = await DataDirLock.acquire(deep, env);
    assert.match((await refusal(deep)).message, new RegExp(`process ${process.pid} on`));
    renameSync(deep, `${dir}/moved`);
    assert.ok(lock.isIntact(), 'the lock moves with the folder');
    await lock.release();
    assert.equal(readdirSync(`${dir}/moved`), []);
  }));

test('notices that its file was removed or replaced, and does not remove the other one', () =>
  withTempDir(async (dir) => {
    const lock = await DataDirLock.acquire(dir, env);
    writeFileSync(`${dir}/other`, '');
    renameSync(`${dir}/other`, `${dir}/LOCK`);
    assert.not.ok(lock.isIntact());
    await lock.release();
    assert.equal(readdirSync(dir), ['LOCK']);
  }));

/** Other descriptors of the process are Node's own, and come and go. */
const openSockets = () => openFiles().filter((path) => path.startsWith('socket:')).length;

test('leaks no descriptor, neither for visitors nor for refusals', () =>
  withTempDir(async (dir) => {
    const before = openSockets();
    const lock = await DataDirLock.acquire(dir, env);
    const visitors = Array.from({ length: 50 }, () => connect(`${dir}/LOCK`).resume());
    await Promise.all(visitors.map((visitor) => once(visitor, 'close')));
    for (let i = 0; i < 10; i++) await refusal(dir);
    await lock.release();
    assert.is(openSockets(), before);
    assert.match((await refusal(`${dir}/none`)).message, /cannot be locked: ENOENT/);
    assert.is(openSockets(), before);
  }));

test('does not keep the process alive', () =>
  withTempDir(async (dir) => {
    const module = (name: string) => new URL(`../../src/${name}.js`, import.meta.url).href;
    const program = `
      import { systemRandom } from '${module('base/random')}';
      import { systemClock } from '${module('base/system-clock')}';
      import { systemTimers } from '${module('supervisor/timers')}';
      import { DataDirLock } from '${module('supervisor/data-dir-lock')}';
      await DataDirLock.acquire(${JSON.stringify(dir)},
        { clock: systemClock, random: systemRandom, timers: systemTimers });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
    const [code] = await once(child, 'exit');
    assert.is(code, 0);
    assert.equal(readdirSync(dir), ['LOCK']);
    await (await DataDirLock.acquire(dir, env)).release();
  }));

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : 1;
}

run();
