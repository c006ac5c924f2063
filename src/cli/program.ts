/** From a command line to the run of a command. The only importer of commander. */
import { Command, CommanderError } from 'commander';
import { messageOf } from '../base/errors.js';
import type { CommandIo, CommandSpec, OptionValues } from './command.js';
import { EXIT, EXIT_HELP, type ExitCode, exitCodeOf } from './exit-codes.js';

export interface ProgramInfo {
  name: string;
  summary: string;
  version: string;
  examples: readonly string[];
  commands: readonly CommandSpec[];
}

/** `args` without the program's own name. Never rejects. */
export async function runProgram(
  info: ProgramInfo,
  args: readonly string[],
  io: CommandIo,
): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.ok;
  const program = programOf(info, io);
  for (const spec of info.commands) {
    addCommand(program, spec, io, async (run) => {
      exitCode = await run();
    });
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Its message is already out, and its code is 0 after --help and --version.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    io.say(`${info.name}: ${messageOf(error)}`);
    return exitCodeOf(error);
  }
}

function programOf(info: ProgramInfo, io: CommandIo): Command {
  const program = new Command(info.name);
  program
    .description(info.summary)
    .version(info.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .addHelpText('after', `\n${examplesText(info.examples)}\n${EXIT_HELP}`)
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.say(text.trimEnd()),
    })
    .showHelpAfterError(`(see ${info.name} --help)`)
    .exitOverride();
  return program;
}

function addCommand(
  program: Command,
  spec: CommandSpec,
  io: CommandIo,
  execute: (run: () => Promise<ExitCode>) => Promise<void>,
): void {
  const command = program.command(spec.name).description(spec.summary);
  for (const { name, help, isOptional } of spec.arguments) {
    command.argument(isOptional === true ? `[${name}]` : `<${name}>`, help);
  }
  for (const option of spec.options) command.option(option.flags, option.help, option.default);
  command
    .allowExcessArguments(false)
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', `\n${examplesText(spec.examples)}\n${EXIT_HELP}`)
    .showHelpAfterError(`(see ${program.name()} ${spec.name} --help)`)
    .action(async (...given: unknown[]) => {
      // commander passes the arguments, then the options, then the command.
      const args = given.slice(0, spec.arguments.length).filter((arg) => typeof arg === 'string');
      await execute(() => spec.run(io, args, command.opts<OptionValues>()));
    });
}

function examplesText(examples: readonly string[]): string {
  return ['Examples:', ...examples.map((line) => `  $ ${line}`), ''].join('\n');
}
