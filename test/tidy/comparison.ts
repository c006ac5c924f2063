/**
 * docs/COMPARISON.md: what the tables say that stormkv has is backed by tests that exist. A row's
 * first cell is its name, the second what stormkv has, `no …` where it lacks it; the list at the
 * end has the tests of each row by path and title, as the test's source writes it.
 */
import type { Repository, Violation } from './repository.js';

export const COMPARISON = 'docs/COMPARISON.md';

export function checkComparison(repository: Repository): Violation[] {
  const file = repository.file(COMPARISON);
  if (file === undefined) return [{ path: COMPARISON, line: 1, problem: 'does not exist' }];
  const violations: Violation[] = [];
  const rows = new Map<string, number>();
  const backed = new Set<string>();
  file.text.split('\n').forEach((text, i) => {
    const found = (problem: string) => violations.push({ path: COMPARISON, line: i + 1, problem });
    const [, row, ours] = /^\| ([^|]+) \| ([^|]+) \|/.exec(text) ?? [];
    if (row !== undefined && !/^no\b/.test(ours ?? '')) rows.set(row, i + 1);
    const [, name, tests] = /^- \*\*(.+?)\*\*: (.+)$/.exec(text) ?? [];
    if (name === undefined) return;
    backed.add(name);
    if (!rows.has(name)) found(`names tests of ${name}, which is no row that says yes`);
    for (const problem of problemsOf(repository, tests ?? '')) found(problem);
  });
  for (const [row, line] of rows) {
    if (backed.has(row)) continue;
    violations.push({ path: COMPARISON, line, problem: `names no test of ${row}` });
  }
  return violations;
}

function problemsOf(repository: Repository, tests: string): string[] {
  return tests.split('; `').flatMap((part) => {
    const [, path = '', title = ''] = /^`?([\w./-]+)` "(.+)"$/.exec(part) ?? [];
    if (path === '') return [`has a test that is not \`path\` "title": ${part}`];
    const source = repository.file(path)?.text;
    if (source === undefined) return [`names ${path}, which does not exist`];
    const isThere = ["'", '"', '`'].some((quote) => source.includes(quote + title + quote));
    return isThere ? [] : [`names a test that ${path} does not have: ${title}`];
  });
}
