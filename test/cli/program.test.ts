import * as assert from 'uvu/assert';
import { CorruptionError } from '../../src/base/errors.js';
import type { CommandSpec, OptionValues } from '../../src/cli/command.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { runProgram } from '../../src/cli/program.js';
import { suite } from '../harness/suite.js';
import { capturedIo } from './cli-rig.js';

const { test, run } = suite('runProgram');

/** Runs a program with one command `copy`, which records how it was called. */
async function call(args: string[], failure?: Error) {
  const io = capturedIo();
  const calls: { args: readonly string[]; options: OptionValues }[] = [];
  const copy: CommandSpec = {
    name: 'copy',
    summary: 'Copy a thing',
    arguments: [
      { name: 'from', help: 'the source' },
      { name: 'to', help: 'the target', isOptional: true },
    ],
    options: [
      { flags: '-n, --dry-run', help: 'only say it' },
      { flags: '--speed-max <number>', help: 'how fast', default: '3' },
    ],
    examples: ['tool copy a b'],
    run(_io, given, options) {
      calls.push({ args: given, options });
      return failure === undefined ? Promise.resolve(EXIT.notFound) : Promise.reject(failure);
    },
  };
  const examples = ['tool copy x'];
  const info = { name: 'tool', summary: 'Does it', version: '1.2.3', examples, commands: [copy] };
  const exit = await runProgram(info, args, io);
  return { exit, calls, out: io.outText(), said: io.said.join('\n') };
}

test('passes arguments and options to the command and gives back its exit code', async () => {
  const { exit, calls } = await call(['copy', 'a', 'b', '--dry-run']);
  assert.is(exit, EXIT.notFound);
  assert.equal(calls, [{ args: ['a', 'b'], options: { dryRun: true, speedMax: '3' } }]);
  const short = await call(['copy', '--speed-max=7', '--', '-a']);
  assert.equal(short.calls, [{ args: ['-a'], options: { speedMax: '7' } }]);
});

test('prints help with examples and exit codes on stdout, also for each command', async () => {
  for (const args of [['--help'], ['-h'], ['help']]) {
    const { exit, out, said } = await call(args);
    assert.is(exit, EXIT.ok);
    assert.is(said, '');
    assert.match(out, /Usage: tool .*copy .*Copy a thing.*\$ tool copy x.*Exit codes:/s);
  }
  for (const args of [
    ['copy', '--help'],
    ['help', 'copy'],
  ]) {
    const { exit, out } = await call(args);
    assert.is(exit, EXIT.ok);
    assert.match(out, /Usage: tool copy .*the source.*--dry-run.*\$ tool copy a b.*Exit codes:/s);
  }
});

test('prints the version on stdout', async () => {
  const { exit, out } = await call(['--version']);
  assert.is(exit, EXIT.ok);
  assert.is(out, '1.2.3\n');
});

test('a wrong command line runs nothing, says why on stderr and exits with 2', async () => {
  const cases: [string[], RegExp][] = [
    [[], /Usage: tool/],
    [['cpoy', 'a'], /unknown command 'cpoy'[\s\S]*Did you mean copy\?/],
    [['copy'], /missing required argument 'from'[\s\S]*see tool copy --help/],
    [['copy', 'a', 'b', 'c'], /too many arguments/],
    [['copy', 'a', '--dry-rnu'], /unknown option '--dry-rnu'[\s\S]*Did you mean --dry-run\?/],
    [['copy', 'a', '--speed-max'], /argument missing/],
  ];
  for (const [args, message] of cases) {
    const { exit, calls, out, said } = await call(args);
    assert.is(exit, EXIT.usage, args.join(' '));
    assert.match(said, message);
    assert.is(out, '');
    assert.is(calls.length, 0);
  }
});

test('what a command throws is said and decides the exit code', async () => {
  const damage = new CorruptionError('Bad block', { file: 'x.sst', offset: 4096 });
  const damaged = await call(['copy', 'a'], damage);
  assert.is(damaged.exit, EXIT.corruption);
  assert.is(damaged.said, 'tool: Bad block (file x.sst, offset 4096)');
  assert.is((await call(['copy', 'a'], new Error('oops'))).exit, EXIT.failure);
});

run();
