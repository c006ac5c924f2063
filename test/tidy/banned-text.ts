/** Text that has a better replacement. Looked for in code, where nothing else is said. */
import type { Repository, RepositoryFile, Violation } from './repository.js';
import { lineOf } from './source-text.js';

interface Ban {
  readonly pattern: RegExp;
  readonly instead: string;
  /** Everywhere if not given. */
  readonly folder?: 'src';
  /** Look at comments and strings as well. */
  readonly isInProse?: boolean;
  /** Files or folders that may, each with its reason beside it. */
  readonly except?: readonly string[];
}

const BANS: readonly Ban[] = [
  // Elsewhere the linter wants a reason for it.
  { pattern: /:\s*any\b|<any\b|\bany\[\]/, instead: 'unknown and a check', folder: 'src' },
  { pattern: /\bas any\b/, instead: 'a type guard', folder: 'src' },
  { pattern: /@ts-(nocheck|ignore)/, instead: 'a fix of the type', isInProse: true },
  { pattern: /\benum\s+\w+\s*\{/, instead: 'a union of literals' },
  {
    pattern: /\bexport default\b/,
    instead: 'a named export',
    // piscina calls the default export of its task file.
    except: ['src/compactor/worker.ts', 'test/compactor/slow-worker.ts'],
  },
  {
    pattern: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bhrtime\b/,
    instead: 'the injected Clock',
    folder: 'src',
    // The clock itself; the demo measures a server from outside.
    except: ['src/base/system-clock.ts', 'src/demo/'],
  },
  {
    pattern: /\bMath\.random\(/,
    instead: 'the injected Random, or a seed that is printed',
    except: ['src/base/random.ts'],
  },
  {
    pattern: /\.(sort|toSorted)\(\s*\)/,
    instead: 'a comparator: without one, numbers sort as text and 10 comes before 9',
    folder: 'src',
    // A Float64Array, which sorts by number.
    except: ['src/storage/key-sort.ts'],
  },
  {
    pattern: /\bconsole\./,
    instead: 'the log, or the streams that a command is given',
    folder: 'src',
  },
  {
    pattern: /\bprocess\.(cwd|exit|env|argv|stdout|stderr|stdin)\b/,
    instead: 'an argument',
    folder: 'src',
    except: [
      // The entries of processes, where the arguments come from.
      'src/main.ts',
      'src/cli/stormkv.ts',
      'src/cli/serve-command.ts',
      // Hides them from the loader of an addon.
      'src/storage/mapped-file.ts',
    ],
  },
  { pattern: /\b(FIXME|TODO|XXX)\b/, instead: 'the work itself', isInProse: true },
  {
    pattern: /(?<!\.)\bset(Timeout|Interval)\(/,
    instead: 'the deadline that a turn returns, or the injected timers',
    folder: 'src',
    except: [
      'src/supervisor/timers.ts',
      'src/client/timers.ts',
      // Deadlines of connections and of a stop, on event loops of their own.
      'src/rpc/grpc-server.ts',
      'src/rpc/session-guard.ts',
      'src/router/http-door.ts',
      'src/router/router-loop.ts',
      // Wires the real timers to what takes them, and drains.
      'src/router/worker.ts',
      'src/cli/',
      'src/demo/',
    ],
  },
];
/** Names the words that it forbids. */
const SELF = 'test/tidy/';

export function checkBannedText(repository: Repository): Violation[] {
  return repository.sources.flatMap((file) => [
    ...BANS.filter((ban) => isBannedIn(ban, file)).flatMap((ban) => find(ban, file)),
    ...emptyCatches(file),
  ]);
}

function isBannedIn({ folder, isInProse, except = [] }: Ban, file: RepositoryFile): boolean {
  if (folder !== undefined && !file.isIn(folder)) return false;
  if (isInProse === true && file.path.startsWith(SELF)) return false;
  return !except.some((path) =>
    path.endsWith('/') ? file.path.startsWith(path) : file.path === path,
  );
}

function find({ pattern, instead, isInProse }: Ban, file: RepositoryFile): Violation[] {
  const text = isInProse === true ? file.text : file.code;
  return [...text.matchAll(new RegExp(pattern, 'g'))].map(({ index, 0: found }) => {
    const problem = `has "${found.trim()}": use ${instead}`;
    return { path: file.path, line: lineOf(text, index), problem };
  });
}

/** A catch that does nothing must say why that is right. */
function emptyCatches({ path, code, text }: RepositoryFile): Violation[] {
  return [...code.matchAll(/\bcatch\s*(\([^)]*\)\s*)?\{(\s*)\}/g)].flatMap((match) => {
    const inside = text.slice(match.index, match.index + match[0].length);
    if (/\/\/|\/\*/.test(inside)) return [];
    const problem = 'has an empty catch: say in a comment why nothing is to be done';
    return [{ path, line: lineOf(text, match.index), problem }];
  });
}
