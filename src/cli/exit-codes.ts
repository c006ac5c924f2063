/** What `stormkv` tells the shell. Part of the interface: scripts rely on the numbers. */
import { StormError } from '../base/errors.js';

export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  unavailable: 4,
  corruption: 5,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_HELP = `Exit codes:
  0  done
  1  failed
  2  wrong usage or configuration
  3  the key has no value
  4  the server cannot be reached, is busy or did not answer in time
  5  stored data is damaged`;

export function exitCodeOf(error: unknown): ExitCode {
  if (!(error instanceof StormError)) return EXIT.failure;
  switch (error.code) {
    case 'INVALID_ARGUMENT':
      return EXIT.usage;
    case 'NOT_FOUND':
      return EXIT.notFound;
    case 'UNAVAILABLE':
    case 'WRONG_SHARD':
    case 'RESOURCE_EXHAUSTED':
    case 'DEADLINE_EXCEEDED':
      return EXIT.unavailable;
    case 'DATA_CORRUPTION':
      return EXIT.corruption;
    default:
      return EXIT.failure;
  }
}
