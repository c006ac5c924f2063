/** From values to places on an axis, and the values that an axis names. */
export interface Scale {
  readonly kind: 'linear' | 'log';
  readonly min: number;
  readonly max: number;
  readonly ticks: readonly number[];
}

/** From 0 to a round number at or above `max`, with about so many steps. */
export function linearScale(max: number, steps: number): Scale {
  const step = roundStep(Math.max(max, Number.MIN_VALUE) / steps);
  const count = Math.max(1, Math.ceil(max / step - 1e-9));
  const ticks = Array.from({ length: count + 1 }, (_, i) => Number((i * step).toPrecision(12)));
  return { kind: 'linear', min: 0, max: ticks.at(-1) ?? step, ticks };
}

/** Powers of ten around the values, which are above 0. */
export function logScale(min: number, max: number): Scale {
  const from = Math.floor(Math.log10(min));
  const to = Math.max(from + 1, Math.ceil(Math.log10(max)));
  const ticks = Array.from({ length: to - from + 1 }, (_, i) => Number(`1e${from + i}`));
  return { kind: 'log', min: ticks[0] ?? min, max: ticks.at(-1) ?? max, ticks };
}

/** 0 at the beginning of the axis, 1 at its end; what is beyond is put at the end. */
export function placeOn({ kind, min, max }: Scale, value: number): number {
  const part =
    kind === 'linear'
      ? (value - min) / (max - min)
      : Math.log(Math.max(value, min) / min) / Math.log(max / min);
  return Math.min(1, Math.max(0, part));
}

/** 1, 2 or 5 times a power of ten. */
function roundStep(atLeast: number): number {
  const power = 10 ** Math.floor(Math.log10(atLeast));
  const factor = [1, 2, 5, 10].find((one) => one * power >= atLeast * (1 - 1e-9)) ?? 10;
  return factor * power;
}

const TIME_STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400];

/** Seconds from 0 to exactly `max`, named at round times. */
export function timeScale(maxS: number, steps: number): Scale {
  const last = TIME_STEPS_S.at(-1) ?? 1;
  const fitting = TIME_STEPS_S.find((one) => maxS / one <= steps);
  const step = fitting ?? Math.ceil(maxS / steps / last) * last;
  const count = Math.floor(maxS / step + 1e-9);
  const ticks = Array.from({ length: count + 1 }, (_, i) => i * step);
  return { kind: 'linear', min: 0, max: Math.max(maxS, 1e-9), ticks };
}

/** 75 → `1:15`, 4000 → `1:06:40`. */
export function clockText(seconds: number): string {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, i) => (i === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}

/** 12,345 → `12.3k`: short enough for an axis. */
export function shortNumber(value: number): string {
  for (const [unit, sign] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (value >= unit) return `${Number((value / unit).toPrecision(3))}${sign}`;
  }
  return String(Number(value.toPrecision(3)));
}
