/** The style of every report: light and dark by the reader's system, readable on a phone. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #ffffff; --ink: #1b1f27; --muted: #5a6372; --rule: #dde1e8;
  --s0: #1f6fd1; --s1: #b4530a; --s2: #0b7a5c; --s3: #7a3fb0;
  --shade: #c6303a; --good: #0b7a4b; --bad: #b3202c; --good-ground: #e3f4ec;
  --bad-ground: #fbe6e7;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12151b; --card: #1b2029; --ink: #e7eaf0; --muted: #9ba6b7; --rule: #313846;
    --s0: #6cb0ff; --s1: #f0a35a; --s2: #4fcfa5; --s3: #c79bf2;
    --shade: #ff7078; --good: #5bd6a0; --bad: #ff8a90; --good-ground: #14301f;
    --bad-ground: #3a181b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 40px; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1.05rem; margin: 0 0 10px; }
.subtitle, footer { color: var(--muted); margin: 4px 0 0; font-size: .9rem; }
.verdict { margin: 18px 0 0; padding: 12px 16px; border-radius: 8px; font-weight: 600; }
.verdict.good { background: var(--good-ground); color: var(--good); }
.verdict.bad { background: var(--bad-ground); color: var(--bad); }
.tiles {
  display: grid; gap: 12px; margin: 18px 0 0; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fit, minmax(150px, 1fr));
}
.tiles li, section {
  background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 14px 16px;
}
.tiles .name { display: block; color: var(--muted); font-size: .82rem; }
.tiles .value {
  display: block; font-size: 1.5rem; font-weight: 650; line-height: 1.3;
  font-variant-numeric: tabular-nums;
}
.tiles .note { display: block; color: var(--muted); font-size: .82rem; }
section { margin: 16px 0 0; }
section p { margin: 0 0 8px; max-width: 75ch; }
section p:last-child { margin: 0; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg.narrow { display: none; }
svg text { fill: var(--muted); font: 12px system-ui, sans-serif; }
svg .lane { fill: var(--ink); }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
svg .grid { stroke: var(--rule); }
svg .axis { stroke: var(--muted); }
svg .line { fill: none; stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round; }
svg .area { opacity: .16; }
svg .line.s0 { stroke: var(--s0); } svg .area.s0 { fill: var(--s0); }
svg .line.s1 { stroke: var(--s1); } svg .area.s1 { fill: var(--s1); }
svg .line.s2 { stroke: var(--s2); } svg .area.s2 { fill: var(--s2); }
svg .line.s3 { stroke: var(--s3); } svg .area.s3 { fill: var(--s3); }
svg .shade rect { fill: var(--shade); opacity: .14; }
svg .shade path { stroke: var(--shade); opacity: .55; }
svg .rail { fill: var(--rule); opacity: .55; }
svg .event rect { fill: var(--shade); }
svg .event.open rect { fill: var(--bad); }
.legend {
  display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0 0; padding: 0; list-style: none;
  color: var(--muted); font-size: .85rem;
}
.key { display: inline-block; width: 14px; height: 3px; margin-right: 7px; vertical-align: middle; }
.key.s0 { background: var(--s0); } .key.s1 { background: var(--s1); }
.key.s2 { background: var(--s2); } .key.s3 { background: var(--s3); }
.key.shade { height: 12px; background: var(--shade); opacity: .35; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th { text-align: left; color: var(--muted); font-weight: 500; }
th, td { padding: 6px 14px 6px 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
th.right, td.right { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td { overflow-wrap: anywhere; }
footer { margin-top: 20px; }
@media (max-width: 640px) {
  main { padding: 18px 12px 28px; }
  h1 { font-size: 1.3rem; }
  .tiles { grid-template-columns: repeat(2, 1fr); gap: 8px; }
  .tiles li, section { padding: 12px; }
  .tiles .value { font-size: 1.2rem; }
  svg.wide { display: none; }
  svg.narrow { display: block; }
  table { font-size: .85rem; }
  th, td { padding-right: 10px; }
}
@media print { body { background: #fff; } section { break-inside: avoid; } }
`;
