/**
 * A report as one HTML file, which needs nothing else: no network, no script. Used by every command
 * that measures; what is special to one of them belongs into its sections.
 */
import { type LaneChart, renderLaneChart, renderTimeChart, type TimeChart } from './chart.js';
import { escapeHtml } from './html.js';
import { PAGE_STYLE } from './page-style.js';

/** One figure at the top. */
export interface Tile {
  readonly name: string;
  readonly value: string;
  readonly note?: string;
}

export interface TextSection {
  readonly kind: 'text';
  readonly title: string;
  readonly paragraphs: readonly string[];
}

export interface TableSection {
  readonly kind: 'table';
  readonly title: string;
  readonly columns: readonly { readonly name: string; readonly align: 'left' | 'right' }[];
  readonly rows: readonly (readonly string[])[];
}

export type Section = TextSection | TableSection | TimeChart | LaneChart;

export interface Report {
  readonly title: string;
  /** When, where, with what. */
  readonly subtitle: string;
  readonly verdict: { readonly isGood: boolean; readonly text: string } | undefined;
  readonly tiles: readonly Tile[];
  readonly sections: readonly Section[];
  /** How to make it again. */
  readonly footer: string;
}

/** A complete HTML document. All texts are plain text. */
export function renderReport(report: Report): string {
  const { title, subtitle, verdict, tiles, sections, footer } = report;
  const kind = verdict?.isGood === true ? 'good' : 'bad';
  const parts = [
    `<header><h1>${escapeHtml(title)}</h1>`,
    `<p class="subtitle">${escapeHtml(subtitle)}</p></header>`,
    verdict === undefined ? '' : `<p class="verdict ${kind}">${escapeHtml(verdict.text)}</p>`,
    `<ul class="tiles">${tiles.map(tileOf).join('')}</ul>`,
    ...sections.map(sectionOf),
    `<footer>${escapeHtml(footer)}</footer>`,
  ];
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    // Nothing is loaded and nothing runs, whatever a text in it may say.
    '<meta http-equiv="Content-Security-Policy" ' +
      `content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${escapeHtml(title)}</title><style>${PAGE_STYLE}</style></head>`,
    `<body><main>${parts.join('\n')}</main></body></html>`,
    '',
  ].join('\n');
}

function tileOf({ name, value, note }: Tile): string {
  const below = note === undefined ? '' : `<span class="note">${escapeHtml(note)}</span>`;
  return (
    `<li><span class="name">${escapeHtml(name)}</span>` +
    `<span class="value">${escapeHtml(value)}</span>${below}</li>`
  );
}

function sectionOf(section: Section): string {
  return `<section><h2>${escapeHtml(section.title)}</h2>${bodyOf(section)}</section>`;
}

function bodyOf(section: Section): string {
  switch (section.kind) {
    case 'text':
      return section.paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`).join('');
    case 'table':
      return tableOf(section);
    case 'time-chart':
      return renderTimeChart(section);
    case 'lane-chart':
      return renderLaneChart(section);
  }
}

function tableOf({ columns, rows }: TableSection): string {
  const heads = columns.map(
    ({ name, align }) => `<th scope="col" class="${align}">${escapeHtml(name)}</th>`,
  );
  const lines = rows.map((row) => {
    const cells = row.map((text, i) => {
      return `<td class="${columns[i]?.align ?? 'left'}">${escapeHtml(text)}</td>`;
    });
    return `<tr>${cells.join('')}</tr>`;
  });
  // Wide tables scroll by themselves; with the keyboard too.
  return (
    '<div class="scroll" tabindex="0"><table><thead><tr>' +
    `${heads.join('')}</tr></thead><tbody>${lines.join('')}</tbody></table></div>`
  );
}
