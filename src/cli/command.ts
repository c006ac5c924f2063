/** What a command of `stormkv` is, apart from the library that parses command lines. */
import type { ExitCode } from './exit-codes.js';

/** The world of a command. stdout carries data, stderr messages. */
export interface CommandIo {
  out(data: string | Uint8Array): void;
  /** One message; the line end is added. */
  say(message: string): void;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** All of stdin. */
  readInput(): Promise<Buffer>;
  /** Stdin, piece by piece. */
  streamInput(): AsyncIterable<Uint8Array>;
  readFile(path: string): Buffer;
}

export interface CommandArgument {
  name: string;
  help: string;
  isOptional?: true;
}

export interface CommandOption {
  /** `--file <path>` takes a value, `--json` is a switch. */
  flags: string;
  help: string;
  default?: string;
}

/** What was typed: the values of options by their names in camel case. */
export type OptionValues = Readonly<Record<string, string | true | undefined>>;

export interface CommandSpec {
  name: string;
  summary: string;
  arguments: readonly CommandArgument[];
  options: readonly CommandOption[];
  /** Command lines, without `$`. */
  examples: readonly string[];
  /** Errors that it throws are said and turned into an exit code by the caller. */
  run(io: CommandIo, args: readonly string[], options: OptionValues): Promise<ExitCode>;
}

/** The text of an option that takes a value. */
export function textOption(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}
