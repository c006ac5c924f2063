/** What would tie the project to one machine or let a build differ from the last. */
import type { Repository, Violation } from './repository.js';
import { lineOf } from './source-text.js';

const FOREIGN: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  { pattern: /(?<![\w.])\/(work|root|home\/\w+|tmp\/\w+_jobs)\//, what: 'a path of one machine' },
  { pattern: /\bregistry\.[a-z]+|\bnpmjs\.(org|com)\b/, what: 'the host of a registry' },
];
const PINNED = /^(npm:(@[\w.-]+\/)?[\w.-]+@)?\d+\.\d+\.\d+$/;
const DEPENDENCY_FIELDS = ['dependencies', 'optionalDependencies', 'devDependencies'];

export function checkForeignText(repository: Repository): Violation[] {
  return repository.files.flatMap(({ path, text }) =>
    FOREIGN.flatMap(({ pattern, what }) => {
      const at = text.search(pattern);
      return at < 0 ? [] : [{ path, line: lineOf(text, at), problem: `has ${what}` }];
    }),
  );
}

/** A range would let two installations differ in spite of a lockfile, which packages don't ship. */
export function checkPinned(repository: Repository): Violation[] {
  const manifest = repository.file('package.json');
  if (manifest === undefined) return [];
  const content = JSON.parse(manifest.text) as Record<string, Record<string, string> | undefined>;
  const versions = DEPENDENCY_FIELDS.flatMap((field) => Object.entries(content[field] ?? {}));
  return versions
    .filter(([, version]) => !PINNED.test(version))
    .map(([name, version]) => {
      const line = lineOf(manifest.text, manifest.text.indexOf(`"${name}"`));
      return { path: manifest.path, line, problem: `has ${name} as ${version}: pin it exactly` };
    });
}
