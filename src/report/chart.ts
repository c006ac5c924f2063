/**
 * Charts as inline SVG. Each is drawn twice, for wide pages and for phones, and the page's style
 * shows one of them: so text keeps its size. Colours are the page's, light or dark.
 */
import { escapeHtml, px } from './html.js';
import {
  clockText,
  linearScale,
  logScale,
  placeOn,
  type Scale,
  shortNumber,
  timeScale,
} from './scale.js';

/** A curve over time. */
export interface Series {
  readonly name: string;
  /** [seconds, value], ascending; undefined breaks the curve. */
  readonly points: readonly (readonly [number, number | undefined])[];
  readonly style: 'line' | 'area';
}

/** A time between two moments, shaded. */
export interface Span {
  readonly fromS: number;
  /** Undefined = it did not end. */
  readonly toS: number | undefined;
  /** What a pointer on it shows. */
  readonly title: string;
}

export interface TimeChart {
  readonly kind: 'time-chart';
  readonly title: string;
  /** For those who cannot see it: what it shows. */
  readonly description: string;
  readonly unit: string;
  readonly scale: 'linear' | 'log';
  readonly endS: number;
  readonly series: readonly Series[];
  readonly shaded: readonly Span[];
  /** What the shades mean; for the legend. */
  readonly shadedName?: string;
}

/** One row for each kind of event, over time. */
export interface LaneChart {
  readonly kind: 'lane-chart';
  readonly title: string;
  readonly description: string;
  readonly endS: number;
  readonly lanes: readonly { readonly name: string; readonly spans: readonly Span[] }[];
}

interface Frame {
  readonly name: 'wide' | 'narrow';
  readonly width: number;
  readonly left: number;
  readonly steps: number;
}

const FRAMES: readonly Frame[] = [
  { name: 'wide', width: 1040, left: 48, steps: 10 },
  { name: 'narrow', width: 340, left: 36, steps: 4 },
];
const [TOP, RIGHT, BOTTOM] = [12, 12, 26];
const PLOT_HEIGHT = 220;
const LANE_HEIGHT = 34;
const POINT_PX_MIN = 2.5;
const EVENT_PX_MIN = 3;
/** Closer together on the average, the edges of shades would hide the curve. */
const EDGE_PX_MIN = 12;
/** Names of colours in the page's style. */
const COLORS = 4;

/** SVG and its legend. */
export function renderTimeChart(chart: TimeChart): string {
  const values = chart.series.flatMap(({ points }) =>
    points.map(([, value]) => value).filter((value) => value !== undefined),
  );
  const top = values.reduce((max, value) => Math.max(max, value), 0);
  const lowest = values.reduce((min, value) => (value > 0 ? Math.min(min, value) : min), top);
  const y = chart.scale === 'log' && top > 0 ? logScale(lowest, top) : linearScale(top || 1, 4);
  const height = TOP + PLOT_HEIGHT + BOTTOM;
  const pictures = FRAMES.map((frame) => {
    const x = timeScale(chart.endS, frame.steps);
    const at = placer(frame, x, y);
    const shades = shadesOf(chart.shaded, at, chart.endS, frame);
    const parts = [
      ...shades,
      ...yAxis(frame, y, at.y),
      ...xAxis(frame, x, at.x, TOP + PLOT_HEIGHT),
      ...chart.series.map((series, i) => curveOf(thinned(series, frame), i, at)),
    ];
    return svg(frame, height, chart, parts);
  });
  return pictures.join('') + legendOf(chart);
}

export function renderLaneChart(chart: LaneChart): string {
  const bottom = TOP + chart.lanes.length * LANE_HEIGHT;
  const pictures = FRAMES.map((frame) => {
    const x = timeScale(chart.endS, frame.steps);
    const at = placer(frame, x, linearScale(1, 1));
    const lanes = chart.lanes.flatMap(({ name, spans }, i) => {
      const top = TOP + i * LANE_HEIGHT;
      return [
        `<text class="lane" x="${frame.left}" y="${top + 11}">${escapeHtml(name)}</text>`,
        `<rect class="rail" x="${frame.left}" y="${top + 16}" width="${
          frame.width - frame.left - RIGHT
        }" height="10"/>`,
        ...spans.map((span) => eventOf(span, at, chart.endS, top + 16)),
      ];
    });
    return svg(frame, bottom + BOTTOM, chart, [...lanes, ...xAxis(frame, x, at.x, bottom)]);
  });
  return pictures.join('');
}

interface Placer {
  x(seconds: number): number;
  y(value: number): number;
}

function placer({ width, left }: Frame, x: Scale, y: Scale): Placer {
  return {
    x: (seconds) => left + placeOn(x, seconds) * (width - left - RIGHT),
    y: (value) => TOP + (1 - placeOn(y, value)) * PLOT_HEIGHT,
  };
}

let ids = 0;

function svg(
  { name, width }: Frame,
  height: number,
  { title, description }: TimeChart | LaneChart,
  parts: readonly string[],
): string {
  const id = `chart-${++ids}`;
  return (
    `<svg class="${name}" viewBox="0 0 ${width} ${px(height)}" role="img" ` +
    `aria-labelledby="${id}-title ${id}-desc">` +
    `<title id="${id}-title">${escapeHtml(title)}</title>` +
    `<desc id="${id}-desc">${escapeHtml(description)}</desc>${parts.join('')}</svg>`
  );
}

function yAxis({ width, left }: Frame, scale: Scale, place: (value: number) => number): string[] {
  return scale.ticks.map((tick) => {
    const y = px(place(tick));
    return (
      `<path class="grid" d="M${left} ${y}H${width - RIGHT}"/>` +
      `<text class="tick end" x="${left - 6}" y="${y}" dy="4">${shortNumber(tick)}</text>`
    );
  });
}

function xAxis(
  { width, left }: Frame,
  scale: Scale,
  place: (value: number) => number,
  bottom: number,
): string[] {
  const names = scale.ticks.map((tick) => {
    const x = px(place(tick));
    const anchor = tick === 0 ? 'start' : place(tick) > width - 30 ? 'end' : 'middle';
    return (
      `<path class="axis" d="M${x} ${bottom}v4"/>` +
      `<text class="tick ${anchor}" x="${x}" y="${bottom + 18}">${clockText(tick)}</text>`
    );
  });
  return [`<path class="axis" d="M${left} ${bottom}H${width - RIGHT}"/>`, ...names];
}

function curveOf({ points, style }: Series, index: number, at: Placer): string {
  const runs: string[] = [];
  let run: [number, number][] = [];
  const close = () => {
    const [first, last] = [run[0], run.at(-1)];
    if (first === undefined || last === undefined) return;
    const line = run.map(([x, y]) => `${px(x)} ${px(y)}`).join('L');
    const floor = TOP + PLOT_HEIGHT;
    if (style === 'area') {
      const area = `M${px(first[0])} ${floor}L${line}L${px(last[0])} ${floor}Z`;
      runs.push(`<path class="area s${index % COLORS}" d="${area}"/>`);
    }
    // A single point has no length; a round cap makes it a dot.
    runs.push(
      `<path class="line s${index % COLORS}" d="M${line}${run.length === 1 ? 'h0' : ''}"/>`,
    );
    run = [];
  };
  for (const [seconds, value] of points) {
    if (value === undefined) close();
    else run.push([at.x(seconds), at.y(value)]);
  }
  close();
  return runs.join('');
}

/** Where there are more points than can be told apart, neighbours are averaged. */
function thinned(series: Series, { width, left }: Frame): Series {
  const room = (width - left - RIGHT) / POINT_PX_MIN;
  const factor = Math.ceil(series.points.length / room);
  if (factor <= 1) return series;
  const points: [number, number | undefined][] = [];
  for (let i = 0; i < series.points.length; i += factor) {
    const part = series.points.slice(i, i + factor);
    const values = part.map(([, value]) => value).filter((value) => value !== undefined);
    const sum = values.reduce((total, value) => total + value, 0);
    const mean = values.length === 0 ? undefined : sum / values.length;
    points.push([part.reduce((total, [seconds]) => total + seconds, 0) / part.length, mean]);
  }
  return { ...series, points };
}

/** Shades that touch are one, so that many of them do not add up to a wall. */
function shadesOf(spans: readonly Span[], at: Placer, endS: number, { width }: Frame): string[] {
  const groups: { from: number; to: number; count: number; title: string }[] = [];
  for (const { fromS, toS, title } of spans.toSorted((a, b) => a.fromS - b.fromS)) {
    const from = Math.min(at.x(fromS), width - RIGHT - 1);
    const to = Math.max(from + 1, at.x(toS ?? endS));
    const last = groups.at(-1);
    if (last !== undefined && from <= last.to + 1) {
      last.to = Math.max(last.to, to);
      last.count++;
    } else groups.push({ from, to, count: 1, title });
  }
  const hasEdges = spans.length <= width / EDGE_PX_MIN;
  return groups.map(({ from, to, count, title }) => {
    const words = count === 1 ? title : `${title}, and ${count - 1} more`;
    const edge = hasEdges ? `<path d="M${px(from)} ${TOP}v${PLOT_HEIGHT}"/>` : '';
    return (
      `<g class="shade"><title>${escapeHtml(words)}</title><rect x="${px(from)}" y="${TOP}" ` +
      `width="${px(to - from)}" height="${PLOT_HEIGHT}"/>${edge}</g>`
    );
  });
}

function eventOf(span: Span, at: Placer, endS: number, top: number): string {
  const from = Math.min(at.x(span.fromS), at.x(endS) - EVENT_PX_MIN);
  const width = Math.max(EVENT_PX_MIN, at.x(span.toS ?? endS) - from);
  const kind = span.toS === undefined ? 'event open' : 'event';
  return (
    `<g class="${kind}"><title>${escapeHtml(span.title)}</title>` +
    `<rect x="${px(from)}" y="${top}" width="${px(width)}" height="10" rx="1.5"/></g>`
  );
}

function legendOf({ series, shaded, shadedName, unit }: TimeChart): string {
  const entries = series.map(
    ({ name }, i) =>
      `<li><span class="key s${i % COLORS}"></span>${escapeHtml(`${name}, ${unit}`)}</li>`,
  );
  if (shadedName !== undefined && shaded.length > 0) {
    entries.push(`<li><span class="key shade"></span>${escapeHtml(shadedName)}</li>`);
  }
  return `<ul class="legend">${entries.join('')}</ul>`;
}
