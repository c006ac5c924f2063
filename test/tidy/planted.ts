import * as assert from 'uvu/assert';
import { Repository, type Violation } from './repository.js';

/** Asserts what a check says of some files: just this, as `path:line` and a part of the text. */
export function finds(
  check: (repository: Repository) => Violation[],
  files: Readonly<Record<string, string>>,
  expected: readonly (readonly [place: string, part: string])[],
): void {
  const found = check(Repository.of(files));
  assert.equal(
    found.map(({ path, line }) => `${path}:${line}`),
    expected.map(([place]) => place),
  );
  for (const [index, { problem }] of found.entries()) {
    const part = expected[index]?.[1] ?? '';
    assert.ok(problem.includes(part), `${problem} does not say: ${part}`);
  }
}
