import type { Block, Report } from './document.ts';
import { pointLabel } from './plot.ts';

/** A report for terminals, repositories and issues; plots are tables. */
export function markdownReport({ title, question, answer, blocks, footer }: Report): string {
  const parts = [
    `# ${escape(title)}`,
    escape(question),
    '## The short answer',
    answer.map((sentence) => `- ${escape(sentence)}`).join('\n'),
    ...blocks.filter((block) => !(block.kind === 'table' && block.repeats)).map(markdownBlock),
    `_${escape(footer)}_`,
  ];
  return `${parts.join('\n\n')}\n`;
}

function markdownBlock(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `## ${escape(block.text)}`;
    case 'text':
      return escape(block.text);
    case 'list':
      return block.items.map((item) => `- ${escape(item)}`).join('\n');
    case 'table':
      return `${tableOf(block.head, block.rows, block.words)}\n\n${escape(block.caption)}`;
    case 'plot': {
      const { plot, caption } = block;
      const labels = plot.xs.map(({ label }) => label);
      const rows = plot.series.map(({ name, points }) => [
        name,
        ...plot.xs.map((_x, i) => {
          const point = points.find(({ x }) => x === i);
          return point ? pointLabel(point, plot) : '';
        }),
      ]);
      return `${tableOf([plot.xName, ...labels], rows)}\n\n${escape(caption)}`;
    }
  }
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[], words = 1): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escape).join(' | ')} |`;
  return [line(head), line(head.map((_cell, i) => (i < words ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

/** Names of models and tasks are a user's, and may hold anything. */
function escape(text: string): string {
  return text.replace(/[\\|<>*_`#[\]]/g, (sign) => `\\${sign}`).replace(/\s*\n\s*/g, ' ');
}
