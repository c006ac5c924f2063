import { readFileSync } from 'node:fs';

/**
 * The bytes, as lower-case hex digits, of the code block in a document that follows the comment
 * `<!-- hex: NAME -->`. Lines may have an explanation behind `#`, and white space anywhere.
 */
export function hexBlock(path: string, name: string): string {
  const text = readFileSync(path, 'utf8');
  const mark = text.indexOf(`<!-- hex: ${name} -->`);
  if (mark < 0) throw new Error(`${path} has no hex block named ${name}`);
  const open = text.indexOf('```', mark);
  const begin = text.indexOf('\n', open) + 1;
  const end = text.indexOf('```', begin);
  const lines = text.slice(begin, end).split('\n');
  const hex = lines.map((line) => line.replace(/#.*$/, '').replace(/\s+/g, '')).join('');
  if (hex.length === 0 || !/^([0-9a-f]{2})+$/.test(hex)) {
    throw new Error(`${path}: the hex block ${name} holds something else than hex digits`);
  }
  return hex;
}
