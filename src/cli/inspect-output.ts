/** Lines of an inspection: for people, or one JSON object per line for programs. */
import { isUtf8 } from 'node:buffer';
import type { Finding } from '../storage/check-finding.js';
import type { CommandIo } from './command.js';

/** Undefined ones are left out. Bytes are text where they are UTF-8, else base64. */
export type Fields = Readonly<Record<string, string | number | boolean | Uint8Array | undefined>>;

const NAME_COLUMNS = 10;

export class InspectOutput {
  damageCount = 0;
  readonly #io: CommandIo;
  readonly #asJson: boolean;

  constructor(io: CommandIo, asJson: boolean) {
    this.#io = io;
    this.#asJson = asJson;
  }

  /**
   * `table  number 5, entries 4`, or `{"what":"table","number":5,"entries":4}`; blanks before
   * `what` indent it for people.
   */
  line(what: string, fields: Fields): void {
    if (this.#asJson) {
      const pairs = Object.entries(fields).map(([name, value]) => jsonField(name, value));
      this.#io.out(`${JSON.stringify({ what: what.trim(), ...Object.fromEntries(pairs) })}\n`);
      return;
    }
    const text = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${wordsOf(name)} ${textOf(value)}`)
      .join(', ');
    this.#io.out(`${what.padEnd(NAME_COLUMNS)} ${text}\n`);
  }

  readonly found = (finding: Finding): void => {
    if (finding.severity === 'damage') this.damageCount++;
    if (this.#asJson) {
      const { what: message, severity, file, offset } = finding;
      this.#io.out(`${JSON.stringify({ what: severity, file, offset, message })}\n`);
    } else this.#io.out(`${findingText(finding)}\n`);
  };
}

export function findingText({ severity, file, offset, what }: Finding): string {
  return `${severity === 'damage' ? 'DAMAGE' : 'notice'}  ${file} at ${offset}: ${what}`;
}

function textOf(value: Fields[string]): string {
  if (!(value instanceof Uint8Array)) return String(value);
  const bytes = Buffer.from(value);
  return isUtf8(bytes) ? JSON.stringify(bytes.toString()) : `base64:${bytes.toString('base64')}`;
}

function jsonField(name: string, value: Fields[string]): [string, Fields[string]] {
  if (!(value instanceof Uint8Array)) return [name, value];
  const bytes = Buffer.from(value);
  if (isUtf8(bytes)) return [name, bytes.toString()];
  return [`${name}Base64`, bytes.toString('base64')];
}

/** Wall time in ms as a date; a time beyond all dates as the number. */
export function textOfTime(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}

/** `minSequence` → `min sequence`. */
function wordsOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
