/** What an operation does to which kind of file, in two words: the rigs' unit of coverage. */
import type { Operation } from './simulated-operations.js';

const KINDS: readonly [RegExp, string][] = [
  [/\.sst$/, 'table'],
  [/\.seg$/, 'wal'],
  [/manifest-\d+\.log$/, 'manifest'],
  [/CURRENT$/, 'current'],
  [/ROOT$/, 'root'],
  [/DISTRUST$/, 'distrust'],
];

/** `write wal`, `rename current` (by its new name), `create table`, `sync wal.tmp` … */
export function labelOf({ kind, path, to, mode }: Operation): string {
  return `${mode === 'create' ? 'create' : kind} ${fileKindOf(to ?? path)}`;
}

function fileKindOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const base = name.endsWith('.tmp') ? name.slice(0, -4) : name;
  const kind = KINDS.find(([pattern]) => pattern.test(base))?.[1] ?? 'dir';
  return base === name ? kind : `${kind}.tmp`;
}
