/**
 * The parameters of a target, as a web form writes them: `name=value` joined by `&`,
 * percent-encoded,
 * `+` for a space. Strict: a misspelt or repeated parameter is refused, never passed over.
 */
import { StormError } from '../base/errors.js';
import { decodePercent } from './http-target.js';

export class HttpQuery {
  readonly #values = new Map<string, Buffer[]>();

  /** `names` = what may be given; those in `repeatable` more than once. */
  constructor(target: string, names: readonly string[], repeatable: readonly string[] = []) {
    const start = target.indexOf('?');
    const text = start < 0 ? '' : target.slice(start + 1);
    if (text.includes('#')) throw wrong('write # as %23');
    for (const pair of text.split('&')) {
      if (pair !== '') this.#add(pair, names, repeatable);
    }
  }

  #add(pair: string, names: readonly string[], repeatable: readonly string[]): void {
    const equals = pair.indexOf('=');
    const name = decode(equals < 0 ? pair : pair.slice(0, equals)).toString();
    if (!names.includes(name) && !repeatable.includes(name)) {
      const known = [...names, ...repeatable].join(', ');
      throw wrong(`there is no parameter ${JSON.stringify(name)} here, but ${known}`);
    }
    const value = decode(equals < 0 ? '' : pair.slice(equals + 1));
    const values = this.#values.get(name);
    if (values === undefined) this.#values.set(name, [value]);
    else if (repeatable.includes(name)) values.push(value);
    else throw wrong(`"${name}" is given twice`);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  bytes(name: string): Buffer | undefined {
    return this.#values.get(name)?.[0];
  }

  all(name: string): readonly Buffer[] {
    return this.#values.get(name) ?? [];
  }

  text(name: string): string | undefined {
    return this.bytes(name)?.toString();
  }

  /** `true`, `1` or the bare name; absent, `false` and `0` are false. */
  flag(name: string): boolean {
    const text = this.text(name) ?? 'false';
    if (text === 'true' || text === '1' || text === '') return true;
    if (text === 'false' || text === '0') return false;
    throw wrong(`"${name}" must be true or false: found ${JSON.stringify(text)}`);
  }

  number(name: string, absent: number): number {
    const text = this.text(name);
    if (text === undefined) return absent;
    if (/^\d{1,15}$/.test(text)) return Number(text);
    throw wrong(`"${name}" must be a whole number: found ${JSON.stringify(text)}`);
  }

  /** How values are written in lines. */
  isUtf8(): boolean {
    const text = this.text('encoding') ?? 'base64';
    if (text === 'base64' || text === 'utf8') return text === 'utf8';
    throw wrong(`"encoding" must be base64 or utf8: found ${JSON.stringify(text)}`);
  }
}

function decode(text: string): Buffer {
  return decodePercent(Buffer.from(text.replaceAll('+', ' '), 'latin1'), 'parameter');
}

function wrong(why: string): StormError {
  return new StormError('INVALID_ARGUMENT', `The query is wrong: ${why}`);
}
