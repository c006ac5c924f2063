/** Tables for terminals, files and mails alike. The only importer of cli-table3. */
import Table from 'cli-table3';

export type Align = 'left' | 'right';

const LINE_PARTS = [
  'top',
  'top-mid',
  'top-left',
  'top-right',
  'bottom',
  'bottom-mid',
  'bottom-left',
  'bottom-right',
  'left',
  'left-mid',
  'mid',
  'mid-mid',
  'right',
  'right-mid',
];

/** Columns without lines or colours; no blanks at line ends. */
export function textTable(rows: readonly string[][], colAligns: readonly Align[] = []): string {
  const chars = Object.fromEntries(LINE_PARTS.map((part) => [part, '']));
  const style = { 'padding-left': 0, 'padding-right': 0, head: [], border: [] };
  const table = new Table({
    chars: { ...chars, middle: '   ' },
    style,
    colAligns: [...colAligns],
  });
  table.push(...rows);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
