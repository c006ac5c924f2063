import * as assert from 'uvu/assert';
import { type ErrorCode, StormError } from '../../src/base/errors.js';
import type { CommandIo, CommandSpec } from '../../src/cli/command.js';
import { delCommand } from '../../src/cli/del-command.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { getCommand } from '../../src/cli/get-command.js';
import { runProgram } from '../../src/cli/program.js';
import { putCommand } from '../../src/cli/put-command.js';
import { suite } from '../harness/suite.js';
import { capturedIo, type StoreRig, withStore } from './cli-rig.js';

const { test, run } = suite('put, get and del');
const commands: CommandSpec[] = [putCommand, getCommand, delCommand];
const INFO = { name: 'stormkv', summary: 'A store', version: '1.2.3', examples: [], commands };

async function call(args: string[], changes: Partial<CommandIo> = {}) {
  const io = capturedIo(changes);
  const exit = await runProgram(INFO, args, io);
  return { exit, out: io.outText(), bytes: io.outBytes(), said: io.said };
}

function inStore(body: (rig: StoreRig, at: string[]) => Promise<void>): () => Promise<void> {
  return () => withStore((rig) => body(rig, ['--target', rig.target]));
}

test(
  'put stores an argument, stdin and a file, byte for byte',
  inStore(async ({ values }, at) => {
    const bytes = Buffer.from([0, 255, 10, 13]);
    assert.is((await call(['put', 'a', 'ü', ...at])).exit, EXIT.ok);
    await call(['put', 'b', '-', ...at], { readInput: () => Promise.resolve(bytes) });
    await call(['put', 'c', '--file', 'x.bin', ...at], { readFile: () => bytes });
    await call(['put', 'd', '', ...at]);
    await call(['put', 'e', '-5', ...at]);
    assert.equal(values.get('a'), Buffer.from('ü'));
    assert.equal(values.get('b'), bytes);
    assert.equal(values.get('c'), bytes);
    assert.is(values.get('d')?.length, 0);
    assert.equal(values.get('e'), Buffer.from('-5'));
  }),
);

test('put wants exactly one source of the value', async () => {
  for (const args of [['k'], ['k', 'v', '--file', 'f']]) {
    const { exit, said } = await call(['put', ...args]);
    assert.is(exit, EXIT.usage);
    assert.match(said[0] ?? '', /^stormkv: Give the value either as an argument .* --file$/);
  }
});

test(
  'get prints the bytes and nothing else, with a line end only for a terminal',
  inStore(async ({ values }, at) => {
    values.set('k', Buffer.from([1, 254, 0]));
    const plain = await call(['get', 'k', ...at]);
    assert.is(plain.exit, EXIT.ok);
    assert.equal(plain.bytes, Buffer.from([1, 254, 0]));
    const shown = await call(['get', 'k', ...at], { outIsTerminal: true });
    assert.equal(shown.bytes, Buffer.from([1, 254, 0, 10]));
  }),
);

test(
  'get says a missing key on stderr and exits with 3',
  inStore(async (_rig, at) => {
    const { exit, out, said } = await call(['get', 'no"ne', ...at]);
    assert.is(exit, EXIT.notFound);
    assert.is(out, '');
    assert.equal(said, ['No value under "no\\"ne"']);
  }),
);

test(
  'get --json prints text as text and other bytes as base64',
  inStore(async ({ values }, at) => {
    values.set('t', Buffer.from('grün\n'));
    values.set('b', Buffer.from([255]));
    const outputs = [];
    for (const key of ['t', 'b', 'none']) outputs.push(await call(['get', key, '--json', ...at]));
    assert.equal(
      outputs.map(({ out }) => out),
      [
        '{"key":"t","found":true,"value":"grün\\n"}\n',
        '{"key":"b","found":true,"valueBase64":"/w=="}\n',
        '{"key":"none","found":false}\n',
      ],
    );
    assert.equal(
      outputs.map(({ exit }) => exit),
      [EXIT.ok, EXIT.ok, EXIT.notFound],
    );
  }),
);

test(
  'del removes a value and does not mind a key without one',
  inStore(async ({ values }, at) => {
    values.set('k', Buffer.from('v'));
    assert.is((await call(['del', 'k', ...at])).exit, EXIT.ok);
    assert.is((await call(['del', 'k', ...at])).exit, EXIT.ok);
    assert.is(values.size, 0);
  }),
);

test(
  'an error of the server becomes its exit code and its message',
  inStore(async (rig, at) => {
    const codes: [ErrorCode, number][] = [
      ['INVALID_ARGUMENT', EXIT.usage],
      ['RESOURCE_EXHAUSTED', EXIT.unavailable],
      ['DEADLINE_EXCEEDED', EXIT.unavailable],
      ['UNAVAILABLE', EXIT.unavailable],
      ['DATA_CORRUPTION', EXIT.corruption],
      ['INTERNAL', EXIT.failure],
    ];
    for (const [code, expected] of codes) {
      rig.failure = new StormError(code, `because of ${code}`);
      for (const args of [
        ['put', 'k', 'v'],
        ['get', 'k'],
        ['del', 'k'],
      ]) {
        const { exit, said, out } = await call([...args, ...at]);
        assert.is(exit, expected, `${args[0]} ${code}`);
        assert.match(said[0] ?? '', `because of ${code}`);
        assert.is(out, '');
      }
    }
  }),
);

test('an unreachable server is named, with the next step, and exits with 4', async () => {
  // Port 1 of loopback: nothing listens there.
  const env = { STORMKV_TARGET: '127.0.0.1:1' };
  const { exit, said } = await call(['get', 'k'], { env });
  assert.is(exit, EXIT.unavailable);
  assert.match(said[0] ?? '', /^stormkv: 127\.0\.0\.1:1: .* Start it: stormkv serve$/);
});

test('a target or timeout that makes no sense is a wrong usage', async () => {
  const wrong = [
    ['--target', 'nonsense'],
    ['--target', 'localhost:99999'],
    ['--timeout-ms', '0'],
    ['--timeout-ms', '1e3'],
  ];
  for (const options of wrong) {
    assert.is((await call(['get', 'k', ...options])).exit, EXIT.usage, options.join(' '));
  }
});

run();
