/** Figures as people read them, for reports and terminals alike. */

/** `1 history`, `2 histories`. */
export function counted(count: number, one: string, more: string): string {
  return `${grouped(count)} ${count === 1 ? one : more}`;
}

/** A duration for people. */
export function ms(value: number | undefined): string {
  if (value === undefined) return '–';
  if (!Number.isFinite(value)) return 'never';
  return value < 10 ? `${value.toFixed(1)} ms` : `${grouped(value)} ms`;
}

/** `12,345`, without fraction. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
