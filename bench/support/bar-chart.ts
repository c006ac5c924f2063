/** Bars as an SVG file of its own, legible on light and dark pages. */
import type { Spread } from './rounds.js';

export interface Bar {
  name: string;
  value: Spread;
  /** Ours are in colour, those beside us grey. */
  isOurs: boolean;
}

const [WIDTH, LEFT, RIGHT, ROW, TOP] = [760, 190, 130, 34, 40];
const STYLE =
  'text{font:13px system-ui,sans-serif;fill:#24292f}' +
  '.title{font-weight:600}.ours{fill:#0969da}.other{fill:#8c959f}' +
  '.range{stroke:#24292f;stroke-width:1.5;fill:none}' +
  '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.ours{fill:#4493f8}' +
  '.other{fill:#7d8590}.range{stroke:#e6edf3}}';

export function barChart(title: string, unit: string, bars: readonly Bar[]): string {
  const top = Math.max(...bars.map(({ value }) => value.max), Number.MIN_VALUE);
  const room = WIDTH - LEFT - RIGHT;
  const x = (value: number): string => (LEFT + (Math.max(0, value) / top) * room).toFixed(1);
  const rows = bars.map(({ name, value, isOurs }, i) => {
    const y = TOP + i * ROW;
    const middle = y + ROW / 2 - 3;
    const width = (Number(x(value.median)) - LEFT).toFixed(1);
    const label = `${shortNumber(value.median)} ${unit}`;
    return (
      `<text x="${LEFT - 10}" y="${middle + 4}" text-anchor="end">${escapeXml(name)}</text>` +
      `<rect class="${isOurs ? 'ours' : 'other'}" x="${LEFT}" y="${y + 3}" width="${width}" ` +
      `height="${ROW - 12}" rx="2"/>` +
      `<path class="range" d="M${x(value.min)} ${middle}H${x(value.max)}"/>` +
      `<text x="${Number(x(value.max)) + 8}" y="${middle + 4}">${escapeXml(label)}</text>`
    );
  });
  const height = TOP + bars.length * ROW + 6;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" ` +
    `role="img"><title>${escapeXml(`${title}, ${unit}`)}</title><style>${STYLE}</style>` +
    `<text class="title" x="${LEFT}" y="22">${escapeXml(title)}</text>${rows.join('')}</svg>\n`
  );
}

/** 1.23 M, 456 k, 7.89. */
export function shortNumber(value: number): string {
  if (Math.abs(value) >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (Math.abs(value) >= 1e4) return `${Number((value / 1e3).toPrecision(3))} k`;
  return String(Number(value.toPrecision(3)));
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
