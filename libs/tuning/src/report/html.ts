/** A report as one page that needs nothing from elsewhere: no scripts, fonts or pictures. */
import type { Block, Report } from './document.ts';
import { element, escapeMarkup } from './markup.ts';
import { marker, mostSeries, type Plot, svgPlot } from './plot.ts';

export function htmlReport({ title, question, answer, blocks, footer }: Report): string {
  const [headline, ...more] = answer;
  const contents = blocks.flatMap((block) => (block.kind === 'heading' ? [link(block.id, block.text)] : []));
  const body = [
    element(
      'header',
      {},
      element('h1', {}, escapeMarkup(title)) + element('p', { class: 'question' }, escapeMarkup(question)),
    ),
    element(
      'section',
      { class: 'answer' },
      element('h2', {}, 'The short answer') +
        element('p', { class: 'headline' }, escapeMarkup(headline ?? '')) +
        (more.length > 0 ? listOf(more) : ''),
    ),
    element('nav', {}, contents.join(' ')),
    ...sections(blocks),
    element('footer', {}, escapeMarkup(footer)),
  ];
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    element('title', {}, escapeMarkup(title)),
    `<style>${style}</style></head>`,
    element('body', {}, element('main', {}, body.join('\n'))),
    '</html>',
    '',
  ].join('\n');
}

function link(id: string, name: string): string {
  return element('a', { href: `#${id}` }, escapeMarkup(name));
}

function listOf(items: readonly string[]): string {
  return element('ul', {}, items.map((item) => element('li', {}, escapeMarkup(item))).join(''));
}

/** From heading to heading. Plots that follow one another stand side by side where there is room. */
function sections(blocks: readonly Block[]): string[] {
  const all: string[][] = [];
  let plots: string[] = [];
  const flush = (): void => {
    if (plots.length > 0) all.at(-1)?.push(element('div', { class: 'plots' }, plots.join('')));
    plots = [];
  };
  for (const block of blocks) {
    if (block.kind === 'plot') {
      plots.push(htmlBlock(block));
      continue;
    }
    flush();
    if (block.kind === 'heading' || all.length === 0) all.push([]);
    all.at(-1)!.push(htmlBlock(block));
  }
  flush();
  return all.map((parts) => element('section', {}, parts.join('\n')));
}

function htmlBlock(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return element('h2', { id: block.id }, escapeMarkup(block.text));
    case 'text':
      return element('p', {}, escapeMarkup(block.text));
    case 'list':
      return listOf(block.items);
    case 'table': {
      const { words = 1 } = block;
      const row = (cells: readonly string[], tag: 'th' | 'td'): string =>
        element(
          'tr',
          {},
          cells
            .map((cell, i) => {
              const name = i === 0 ? 'th' : tag;
              const scope = i === 0 || tag === 'th' ? { scope: tag === 'th' ? 'col' : 'row' } : {};
              return element(name, { ...scope, ...(i < words && { class: 'words' }) }, escapeMarkup(cell));
            })
            .join(''),
        );
      const table =
        element('caption', {}, escapeMarkup(block.caption)) +
        element('thead', {}, row(block.head, 'th')) +
        element('tbody', {}, block.rows.map((cells) => row(cells, 'td')).join(''));
      return element('div', { class: 'scroll', tabindex: 0 }, element('table', {}, table));
    }
    case 'plot':
      return element(
        'figure',
        {},
        svgPlot(block.plot, block.caption) +
          legendOf(block.plot) +
          element('figcaption', {}, escapeMarkup(block.caption)),
      );
  }
}

function legendOf({ series }: Plot): string {
  if (series.length < 2) return '';
  const entries = series.map(({ name }, s) => {
    const sign = element(
      'svg',
      { viewBox: '0 0 14 14', 'aria-hidden': 'true' },
      element('g', { class: `series s${s % mostSeries}` }, marker(s, 7, 7)),
    );
    return element('li', {}, sign + escapeMarkup(name));
  });
  return element('ul', { class: 'legend' }, entries.join(''));
}

const light = [
  '#1f6fb5',
  '#c2571a',
  '#2b8a4b',
  '#8a4fbf',
  '#b0243f',
  '#0f8b8d',
  '#8a6d00',
  '#5b6470',
  '#c0399f',
  '#3f51b5',
];
const dark = [
  '#6cb6ff',
  '#f69d50',
  '#6bc46d',
  '#c79bff',
  '#ff7b86',
  '#56d4c8',
  '#dbb32d',
  '#adb5bf',
  '#f58ee0',
  '#9fa8ff',
];

const colours = (all: readonly string[]): string => all.map((colour, i) => `--s${i}:${colour}`).join(';');

const style = `
:root{${colours(light)};--ink:#1c2024;--soft:#5d6670;--line:#dfe3e8;--paper:#fff;--card:#f5f7f9;--mark:#1f6fb5}
@media (prefers-color-scheme:dark){:root{${colours(dark)};--ink:#e4e8ec;--soft:#9aa5b1;--line:#343b43;--paper:#14171a;--card:#1d2126;--mark:#6cb6ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:62rem;margin:0 auto;padding:2.5rem 1rem 4rem}
header,p,ul,nav,footer{max-width:44rem}
h1{font-size:clamp(1.6rem,4.5vw,2.3rem);line-height:1.2;margin:0 0 .6rem;letter-spacing:-.01em}
h2{font-size:1.3rem;line-height:1.3;margin:2.8rem 0 .6rem;scroll-margin-top:1rem}
.question{font-size:1.1rem;color:var(--soft);margin:0 0 2rem}
.answer{background:var(--card);border-left:4px solid var(--mark);border-radius:0 8px 8px 0;padding:1.1rem 1.4rem 1.1rem 1.3rem;max-width:48rem}
.answer h2{margin:0 0 .5rem;font-size:.85rem;text-transform:uppercase;letter-spacing:.07em;color:var(--soft)}
.headline{font-size:1.15rem;font-weight:600;line-height:1.45;margin:.2rem 0 .8rem}
.answer ul{margin:.4rem 0 0}
ul{padding-left:1.2rem}li{margin:.3rem 0}
nav{margin:1.6rem 0 0;font-size:.92rem;display:flex;flex-wrap:wrap;gap:.3rem 1.1rem}
a{color:var(--mark)}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:1.5rem 2rem;margin:1rem 0}
figure{margin:0;max-width:34rem;break-inside:avoid}
figure svg{width:100%;height:auto;display:block}
figcaption,caption{color:var(--soft);font-size:.88rem;line-height:1.45;text-align:left}
caption{caption-side:bottom;padding-top:.5rem}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.1rem 1rem;padding:0;margin:.2rem 0 .4rem;font-size:.86rem}
.legend li{display:flex;align-items:center;gap:.35rem;margin:0}
.legend svg{width:14px;height:14px}
.scroll{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{padding:.32rem .9rem .32rem 0;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
.words{text-align:left}.words:not(:first-child){white-space:normal;min-width:9rem}
thead th{color:var(--soft);font-weight:600;vertical-align:bottom}
tbody th{font-weight:500}
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}
svg .tick{fill:var(--soft);paint-order:stroke;stroke:var(--paper);stroke-width:3px}svg .axis{fill:var(--soft);font-size:12px}
.grid{stroke:var(--line);stroke-width:1}.zero{stroke:var(--soft);stroke-width:1.2}
.reference{stroke:var(--soft);stroke-width:1.2;stroke-dasharray:4 4}
.line{fill:none;stroke-width:2;stroke:currentColor;stroke-linejoin:round;opacity:.85}
.bar{stroke:currentColor;stroke-width:1.5;opacity:.55}
.mark{fill:currentColor;stroke:currentColor;stroke-width:1.5}.mark.open{fill:var(--paper)}
${light.map((_colour, i) => `.s${i}{color:var(--s${i})}`).join('')}
footer{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.88rem}
@media print{:root{${colours(light)};--ink:#000;--soft:#444;--line:#ccc;--paper:#fff;--card:#fff;--mark:#1f6fb5}body{font-size:10.5pt}main{max-width:none;padding:0}nav{display:none}.scroll{overflow:visible}h2{break-after:avoid}tr{break-inside:avoid}section{break-inside:auto}}
`;
