/** Limits on the size of lines, functions and files. */
import type { Repository, RepositoryFile, Violation } from './repository.js';
import { closingBracket, lineOf } from './source-text.js';

const LINE_COLUMNS_MAX = 100;
/** For a sentence, which the formatter leaves whole, so that whoever searches finds it. */
const SENTENCE_COLUMNS_MAX = 120;
const SENTENCE = /\S\s{20,}\S/;
const FUNCTION_LINES_MAX = 70;
const SOURCE_LINES_MAX = 400;
const FILE_BYTES_MAX = 64 * 1024;
/** Fixtures, and what npm writes. */
const LARGE_FILES = /^test\/(testdata|fixtures)\/|^package-lock\.json$/;

export function checkLineLengths(repository: Repository): Violation[] {
  return repository.sources.flatMap((file) => {
    const codeLines = file.code.split('\n');
    return file.text.split('\n').flatMap((text, index) => {
      // Counted in characters as one sees them, not in UTF-16 units.
      const columns = [...text].length;
      const allowed = isSentence(text, codeLines[index] ?? '')
        ? SENTENCE_COLUMNS_MAX
        : LINE_COLUMNS_MAX;
      if (columns <= allowed) return [];
      const problem = `has ${columns} columns, allowed are ${allowed}`;
      return [{ path: file.path, line: index + 1, problem }];
    });
  });
}

/** A message or the title of a test: blank in the code, and no comment. */
function isSentence(text: string, code: string): boolean {
  return SENTENCE.test(code) && !/^\s*(\/?\*|\/\/)/.test(text);
}

export function checkFunctionLengths(repository: Repository): Violation[] {
  return repository.sources.flatMap((file) =>
    blocksOf(file)
      .filter(({ lines }) => lines > FUNCTION_LINES_MAX)
      .map(({ line, lines }) => {
        const problem = `starts a block of ${lines} lines, allowed are ${FUNCTION_LINES_MAX}`;
        return { path: file.path, line, problem };
      }),
  );
}

export function checkFileLengths(repository: Repository): Violation[] {
  return repository.files.flatMap((file) => {
    const lines = file.text.split('\n').length - 1;
    const { path } = file;
    if (file.isIn('src') && lines > SOURCE_LINES_MAX) {
      return [{ path, line: 1, problem: `has ${lines} lines, allowed are ${SOURCE_LINES_MAX}` }];
    }
    if (file.sizeBytes > FILE_BYTES_MAX && !LARGE_FILES.test(path)) {
      const problem = `has ${file.sizeBytes} bytes, allowed are ${FILE_BYTES_MAX}`;
      return [{ path, line: 1, problem }];
    }
    return [];
  });
}

/** True when the file has a body of a function: something that a test can run. */
export function hasLogic(file: RepositoryFile): boolean {
  return blocksOf(file).length > 0;
}

interface Block {
  readonly line: number;
  readonly lines: number;
}

/** Bodies of functions, and of statements inside of them; not classes, objects and types. */
function blocksOf({ code }: RepositoryFile): Block[] {
  const blocks: Block[] = [];
  for (let open = code.indexOf('{'); open >= 0; open = code.indexOf('{', open + 1)) {
    if (!isBlock(code, open)) continue;
    const line = lineOf(code, open);
    const close = closingBracket(code, open);
    blocks.push({ line, lines: lineOf(code, close) - line + 1 });
  }
  return blocks;
}

function isBlock(code: string, open: number): boolean {
  const before = code.slice(0, open).trimEnd();
  if (before.endsWith('=>')) return true;
  // A literal, a type, a pattern, a substitution in a template, or a block of its own in a test.
  if (/[=(,[:?|&<{;$]$|^$/.test(before)) return false;
  if (/\b(return|import|export|default|type|typeof|as|satisfies)$/.test(before)) return false;
  return !/\b(class|interface|enum|namespace)\b/.test(headOf(before));
}

/**
 * The statement that ends here. A brace ends the one before, unless a type argument is in braces.
 */
function headOf(before: string): string {
  let at = before.length - 1;
  for (; at >= 0 && !';{'.includes(before.charAt(at)); at--) {
    if (before.charAt(at) !== '}') continue;
    if (!/^\s*[>,&|[]/.test(before.slice(at + 1))) break;
    at = before.lastIndexOf('{', at);
  }
  return before.slice(at + 1);
}
