/**
 * TypeScript source, blanked: comments and the insides of strings and regular expressions become
 * spaces, everything else keeps its place, so that an index means the same in both texts. This is
 * a tokenizer's rough half and enough for checks by pattern; the checker proves on every file that
 * the brackets of what is left are balanced.
 */

/** After these words a slash begins a regular expression; after other words it divides. */
const WORDS_BEFORE_REGEX = new Set(
  'return typeof case in of delete void throw new await else do yield'.split(' '),
);

/** `text` without comments and contents of strings; the quotes themselves stay. */
export function blanked(text: string): string {
  return new Blanker(text).run();
}

/** The line of an index, counted from 1. */
export function lineOf(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < index; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

/** The index behind the bracket that closes the one at `open`, or -1. For blanked text only. */
export function closingBracket(code: string, open: number): number {
  let depth = 0;
  for (let at = open; at < code.length; at++) {
    const char = code.charAt(at);
    if ('([{'.includes(char)) depth++;
    if (')]}'.includes(char) && --depth === 0) return at;
  }
  return -1;
}

class Blanker {
  readonly #text: string;
  #out = '';
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): string {
    this.#code(false);
    return this.#out;
  }

  /** Copies code; inside of a template up to the brace that ends the substitution. */
  #code(isSubstitution: boolean): void {
    let depth = 0;
    while (this.#at < this.#text.length) {
      const char = this.#text.charAt(this.#at);
      const two = this.#text.slice(this.#at, this.#at + 2);
      if (two === '//') this.#blankTo(this.#find('\n'));
      else if (two === '/*') this.#blankTo(this.#find('*/', 2) + 2);
      else if (char === '"' || char === "'") this.#quoted(char);
      else if (char === '`') this.#template();
      else if (char === '/' && this.#isRegexNext()) this.#regex();
      else {
        if (char === '{') depth++;
        if (char === '}' && --depth < 0 && isSubstitution) return;
        this.#copy(1);
      }
    }
  }

  #quoted(quote: string): void {
    this.#copy(1);
    while (this.#at < this.#text.length && this.#text.charAt(this.#at) !== quote) {
      this.#blank(this.#text.charAt(this.#at) === '\\' ? 2 : 1);
    }
    this.#copy(1);
  }

  #template(): void {
    this.#copy(1);
    while (this.#at < this.#text.length && this.#text.charAt(this.#at) !== '`') {
      if (this.#text.startsWith('${', this.#at)) {
        this.#copy(2);
        this.#code(true);
        this.#copy(1);
      } else this.#blank(this.#text.charAt(this.#at) === '\\' ? 2 : 1);
    }
    this.#copy(1);
  }

  #regex(): void {
    let isInClass = false;
    this.#copy(1);
    while (this.#at < this.#text.length) {
      const char = this.#text.charAt(this.#at);
      if (char === '/' && !isInClass) break;
      if (char === '[') isInClass = true;
      if (char === ']') isInClass = false;
      this.#blank(char === '\\' ? 2 : 1);
    }
    this.#copy(1);
  }

  #isRegexNext(): boolean {
    const before = this.#out.trimEnd();
    if (before === '') return true;
    const word = /[\w$]+$/.exec(before)?.[0];
    if (word !== undefined) return WORDS_BEFORE_REGEX.has(word);
    // An exclamation mark behind a value is TypeScript's "not null", elsewhere it negates.
    return !/[)\]}"'`]!?$|[\w$]!$/.test(before);
  }

  #find(end: string, skip = 0): number {
    const found = this.#text.indexOf(end, this.#at + skip);
    return found < 0 ? this.#text.length : found;
  }

  #copy(count: number): void {
    this.#out += this.#text.slice(this.#at, this.#at + count);
    this.#at += count;
  }

  #blank(count: number): void {
    this.#blankTo(this.#at + count);
  }

  #blankTo(end: number): void {
    this.#out += this.#text.slice(this.#at, end).replaceAll(/[^\n]/g, ' ');
    this.#at = end;
  }
}
