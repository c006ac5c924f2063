/** Markdown: one title, links that lead somewhere, and format pages that the code points at. */
import { posix } from 'node:path';
import type { Repository, RepositoryFile, Violation } from './repository.js';
import { lineOf } from './source-text.js';

export function checkTitles(repository: Repository): Violation[] {
  return documents(repository).flatMap((file) => {
    const prose = withoutCode(file.text);
    const titles = [...prose.matchAll(/^# /gm)];
    if (titles.length === 1 && titles[0]?.index === 0) return [];
    const problem = `has ${titles.length} titles (#), should begin with its only one`;
    return [{ path: file.path, line: 1, problem }];
  });
}

export function checkLinks(repository: Repository): Violation[] {
  return documents(repository).flatMap((file) => {
    const prose = withoutCode(file.text);
    return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(({ index, 1: link = '' }) => {
      const problem = linkProblem(repository, file, link);
      return problem === undefined
        ? []
        : [{ path: file.path, line: lineOf(prose, index), problem }];
    });
  });
}

/** Each page in docs/formats is named by a source, and sources name only pages that exist. */
export function checkFormatPages(repository: Repository): Violation[] {
  const named = new Map<string, RepositoryFile>();
  const violations: Violation[] = [];
  for (const file of repository.sources) {
    for (const { index, 0: page } of file.text.matchAll(/\bdocs\/[\w/.-]+\.md\b/g)) {
      if (file.isIn('src')) named.set(page, file);
      if (repository.has(page) || file.isIn('test/tidy')) continue;
      const line = lineOf(file.text, index);
      violations.push({ path: file.path, line, problem: `names ${page}, which does not exist` });
    }
  }
  for (const { path } of documents(repository)) {
    if (!path.startsWith('docs/formats/') || named.has(path)) continue;
    violations.push({ path, line: 1, problem: 'is named by no file of src: point at it' });
  }
  return violations;
}

function documents(repository: Repository): readonly RepositoryFile[] {
  return repository.files.filter(({ path }) => path.endsWith('.md'));
}

function linkProblem(
  repository: Repository,
  { path, text }: RepositoryFile,
  link: string,
): string | undefined {
  if (/^(https?:|mailto:)/.test(link)) return undefined;
  const [name = '', anchor] = link.split('#');
  const target = name === '' ? path : posix.join(posix.dirname(path), name).replace(/\/$/, '');
  if (!repository.has(target)) return `links to ${target}, which does not exist`;
  if (anchor === undefined || !target.endsWith('.md')) return undefined;
  const there = target === path ? text : (repository.file(target)?.text ?? '');
  return anchorsOf(there).has(anchor) ? undefined : `links to ${link}, which is no heading there`;
}

/** The anchors that GitHub makes of headings. */
function anchorsOf(text: string): ReadonlySet<string> {
  const headings = withoutCode(text).matchAll(/^#+ +(.+)$/gm);
  return new Set(
    [...headings].map(({ 1: heading = '' }) =>
      heading
        .trim()
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(/\s/g, '-'),
    ),
  );
}

/** Fenced code and inline code blanked, lines kept; headings keep the words of their code. */
function withoutCode(text: string): string {
  const blank = (found: string) => found.replaceAll(/[^\n]/g, ' ');
  return text
    .replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, blank)
    .replaceAll(/^(?!#).*`[^`\n]+`.*$/gm, (line) => line.replaceAll(/`[^`\n]+`/g, blank));
}
