/** Checks on the whole import graph: no cycles, no file that nothing leads to. */
import { type Import, importsOf } from './imports.js';
import type { Repository, Violation } from './repository.js';

/** Where programs, threads and tests begin. */
const ENTRY =
  /^src\/(main|client\/client|cli\/stormkv|(router|shard|compactor|storm)\/worker)\.ts$|\.test\.ts$|^bench\//;

/** Import cycles inside of `src`, type imports too: two files in a cycle are one idea. */
export function checkCycles(repository: Repository): Violation[] {
  const edges = edgesOf(repository, ({ isByUrl }) => !isByUrl);
  const state = new Map<string, 'open' | 'done'>();
  const violations: Violation[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === 'done') return;
    if (state.get(path) === 'open') {
      const cycle = [...trail.slice(trail.indexOf(path)), path];
      violations.push({ path, line: 1, problem: `is in an import cycle: ${cycle.join(' → ')}` });
      return;
    }
    state.set(path, 'open');
    for (const target of edges.get(path) ?? []) visit(target, [...trail, path]);
    state.set(path, 'done');
  };
  for (const file of repository.sources) if (file.isIn('src')) visit(file.path, []);
  return violations;
}

/** Sources that neither a program nor a thread nor a test leads to. */
export function checkUnused(repository: Repository): Violation[] {
  const edges = edgesOf(repository, () => true);
  const seen = new Set<string>();
  // A file of `src` that only tests use is dead all the same.
  const reach = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const target of edges.get(path) ?? []) {
      if (path.startsWith('src/') || !target.startsWith('src/')) reach(target);
    }
  };
  const sources = repository.sources.filter(({ path }) => path.endsWith('.ts'));
  for (const { path } of sources) if (ENTRY.test(path)) reach(path);
  return sources
    .filter(({ path }) => !seen.has(path))
    .map(({ path }) => ({ path, line: 1, problem: 'is used by nothing: import it or remove it' }));
}

function edgesOf(
  repository: Repository,
  counts: (one: Import) => boolean,
): ReadonlyMap<string, readonly string[]> {
  const edges = new Map<string, string[]>();
  for (const one of importsOf(repository)) {
    if (one.target === undefined || !counts(one)) continue;
    const targets = edges.get(one.from) ?? [];
    targets.push(one.target);
    edges.set(one.from, targets);
  }
  return edges;
}
