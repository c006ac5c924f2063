/**
 * A strict JSON reader that knows where everything stands: JSON.parse neither tells line and column
 * of a mistake nor minds a key that is given twice, of which one would silently win.
 */

export interface TextPosition {
  /** From 1. */
  line: number;
  column: number;
}

export class JsonSyntaxError extends Error {
  readonly position: TextPosition;

  constructor(what: string, position: TextPosition) {
    super(`line ${position.line}, column ${position.column}: ${what}`);
    this.name = 'JsonSyntaxError';
    this.position = position;
  }
}

export interface JsonDocument {
  value: unknown;
  /** Where the value at a path (`wal.sync`, `list.0`) stands. */
  positionOf(path: string): TextPosition | undefined;
}

const DEPTH_MAX = 64;
const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them within a string
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /true|false|null/y;

/** Throws JsonSyntaxError. */
export function parseJsonText(text: string): JsonDocument {
  return new Parser(text).parse();
}

class Parser {
  readonly #text: string;
  readonly #offsets = new Map<string, number>();
  #at = 0;

  constructor(text: string) {
    // A byte order mark is no part of the content; editors on some systems still write one.
    this.#text = text.startsWith('\uFEFF') ? text.slice(1) : text;
  }

  parse(): JsonDocument {
    const value = this.#value('', 0);
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#expected('the end of the text');
    const positionOf = (path: string) => {
      const offset = this.#offsets.get(path);
      return offset === undefined ? undefined : this.#positionAt(offset);
    };
    return { value, positionOf };
  }

  #value(path: string, depth: number): unknown {
    this.#skipSpace();
    if (depth > DEPTH_MAX) throw this.#faultAt(this.#at, 'the nesting is too deep');
    this.#offsets.set(path, this.#at);
    const first = this.#text[this.#at];
    if (first === '{') return this.#object(path, depth);
    if (first === '[') return this.#array(path, depth);
    if (first === '"') return this.#string();
    const literal = this.#match(NUMBER) ?? this.#match(WORD);
    if (literal === undefined) throw this.#expected('a value');
    return JSON.parse(literal);
  }

  #object(path: string, depth: number): Record<string, unknown> {
    // Without a prototype `__proto__` is a key like any other.
    const result: Record<string, unknown> = Object.create(null);
    this.#at++;
    this.#skipSpace();
    if (this.#take('}')) return result;
    for (;;) {
      this.#skipSpace();
      if (this.#text[this.#at] !== '"') throw this.#expected('a key in double quotes');
      const keyAt = this.#at;
      const key = this.#string();
      if (key in result) {
        throw this.#faultAt(keyAt, `the key ${JSON.stringify(key)} stands twice`);
      }
      this.#skipSpace();
      if (!this.#take(':')) throw this.#expected('":"');
      result[key] = this.#value(path === '' ? key : `${path}.${key}`, depth + 1);
      this.#skipSpace();
      if (this.#take('}')) return result;
      if (!this.#take(',')) throw this.#expected('"," or "}"');
    }
  }

  #array(path: string, depth: number): unknown[] {
    const result: unknown[] = [];
    this.#at++;
    this.#skipSpace();
    if (this.#take(']')) return result;
    for (;;) {
      result.push(this.#value(`${path}.${result.length}`, depth + 1));
      this.#skipSpace();
      if (this.#take(']')) return result;
      if (!this.#take(',')) throw this.#expected('"," or "]"');
    }
  }

  #string(): string {
    const literal = this.#match(STRING);
    if (literal === undefined) {
      throw this.#faultAt(this.#at, 'this string is not well formed or has no end');
    }
    return JSON.parse(literal) as string;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    this.#match(SPACE);
  }

  #expected(what: string): JsonSyntaxError {
    const next = this.#text[this.#at];
    const found = next === undefined ? 'the end of the text' : JSON.stringify(next);
    return this.#faultAt(this.#at, `${what} is expected: found ${found}`);
  }

  #faultAt(offset: number, what: string): JsonSyntaxError {
    return new JsonSyntaxError(what, this.#positionAt(offset));
  }

  #positionAt(offset: number): TextPosition {
    const before = this.#text.slice(0, offset);
    const lineStart = before.lastIndexOf('\n') + 1;
    return { line: before.split('\n').length, column: offset - lineStart + 1 };
  }
}
