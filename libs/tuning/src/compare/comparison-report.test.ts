import { describe, expect, it } from 'vitest';
import { htmlReport } from '../report/html.ts';
import { markdownReport } from '../report/markdown.ts';
import { cellResult, type ResultForTest } from '../testing/cell-result.ts';
import { comparisonReport, type ComparisonOutcome } from './comparison-report.ts';
import type { CellResult, Comparison, ModelRole } from './comparison.ts';
import { comparisonPresets } from './plan.ts';

const texts = 400;
/** Right about the first `hits` of the texts. */
const rightOf = (hits: number): string => '1'.repeat(hits) + '0'.repeat(texts - hits);

const comparison: Comparison = {
  task: { name: 'films', source: { world: 'sentiment' } },
  transfer: [],
  models: (['encoder', 'decoder', 'instructed'] as const).map((role) => {
    return { role, name: `${role}@1`, folder: `/${role}`, sha256: role, isImported: false };
  }),
  settings: { ...comparisonPresets.whole, shots: [4, 16, 'all'], seeds: [13, 21, 42] },
};

/** One result for each of the hits, by seeds. */
function runs(method: string, shots: number | 'all', hits: readonly number[], more: ResultForTest = {}): CellResult[] {
  const role: ModelRole = more.role ?? 'encoder';
  return hits.map((one, i) =>
    cellResult({
      ...{ method: method as 'prompt', shots, seed: [13, 21, 42][i]!, right: rightOf(one), role, model: `${role}@1` },
      ...more,
    }),
  );
}

const results: CellResult[] = [
  ...runs('prompt', 4, [210, 230, 190]),
  ...runs('fine-tuning', 4, [200, 240, 180]),
  ...runs('prompt', 16, [300, 306, 302]),
  ...runs('fine-tuning', 16, [240, 248, 241]),
  ...runs('prompt', 'all', [320, 322]),
  ...runs('fine-tuning', 'all', [340, 342]),
  ...runs('soft-prompt', 16, [220, 224, 221], {
    role: 'decoder',
    more: { trainedParameters: 20, allParameters: 100_020 },
  }),
  ...runs('full', 16, [280, 285, 284], {
    role: 'decoder',
    more: { allParameters: 100_000, trainedParameters: 100_000 },
  }),
  ...runs('in-context', 0, [200], { role: 'decoder', more: { baseLoss: 4, trainedParameters: 0 } }),
  ...runs('in-context', 0, [260], { role: 'instructed', part: 'cross' }),
  ...runs('soft-prompt', 16, [221, 223, 222], { role: 'instructed', part: 'cross' }),
  ...runs('full', 'all', [330], { role: 'decoder', more: { baseLoss: 5.5 } }),
];

const outcome: ComparisonOutcome = {
  comparison,
  facts: {
    labels: ['bad', 'good'],
    texts: { train: 4000, test: texts },
    contamination: [{ where: 'the training texts', found: 3, examined: 390 }],
    date: '2026-11-28T01:00:00.000Z',
  },
  results,
  rates: [],
  failed: [],
  all: results.length,
};

const report = comparisonReport(outcome);

describe('the short answer', () => {
  it('says what the figures carry, and no more', () => {
    expect(report.answer).toEqual([
      // Of 400 texts 60, 58 and 61 more.
      expect.stringMatching(
        /^With 16 examples of each label, a prompt is better than a new head by 0\.15 \(0\.1\d to 0\.1\d\)\.$/,
      ),
      'Of the other numbers of examples, the new head is better with all and no difference was shown with 4.',
      expect.stringMatching(
        /^With 16 examples of each label the best of 4 ways is prompt, at 0\.76 \(0\.7\d to 0\.\d\d\), /,
      ),
      expect.stringMatching(/^With all of the data the best of 3 ways is fine-tuning, at 0\.85 /),
      expect.stringMatching(
        /^A soft prompt learns 0\.02 % of the numbers; with 16 examples of each label, tuning all of the model is better than it by 0\.15 \(/,
      ),
      expect.stringMatching(
        /^Asked about films without examples, the language model is right on 0\.50 before and 0\.65 after tuning on instructions: better by 0\.15 \(/,
      ),
      expect.stringMatching(
        /^No difference between a soft prompt on the model tuned on instructions and one on the model before was shown \(0\.00; /,
      ),
      'The language model’s base task changed by full with all of the data (+1.50 nats a token).',
    ]);
  });

  it('warns where no way is shown to beat the most frequent label', () => {
    const weak = results.map((result) => ({ ...result, figures: { ...result.figures, majority: 0.9 } }));
    expect(comparisonReport({ ...outcome, results: weak }).answer[0]).toBe(
      'No way is shown to do better than saying the most frequent label of every text, which is right on 0.90; what the ways differ by here says little about them.',
    );
  });

  it('says of a part that it is one, and of nothing that it is nothing', () => {
    expect(comparisonReport({ ...outcome, all: results.length + 7 }).answer.at(-1)).toBe(
      `This is a part: 7 of ${results.length + 7} trainings are not done.`,
    );
    expect(comparisonReport({ ...outcome, results: [] }).answer).toEqual(['Nothing has been measured yet.']);
    // Of a model without a figure the size is not 0.
    const ofEncoder = results.filter(({ model }) => model === 'encoder');
    const { blocks } = comparisonReport({ ...outcome, results: ofEncoder });
    expect(JSON.stringify(blocks)).toContain('["decoder@1","language model, pre-trained","not measured yet"]');
  });
});

describe('several sizes', () => {
  const model = (role: ModelRole, name: string) => ({ role, name, folder: '/', sha256: name, isImported: false });
  const asked = (name: string, hits: number, more: ResultForTest): CellResult[] =>
    runs('in-context', 0, [hits], { role: 'decoder', part: 'size', model: name, ...more });
  const many = comparisonReport({
    ...outcome,
    comparison: {
      ...comparison,
      models: [...comparison.models, model('decoder', 'small@1'), model('instructed', 'small-chat@1')],
    },
    results: [
      ...results,
      // Better than the first of the language models before instructions, which is not its business.
      ...asked('small@1', 230, { more: { allParameters: 20_000 } }),
      ...asked('small@1', 240, { asked: 'instructed', more: { allParameters: 20_000 } }),
      ...asked('small-chat@1', 180, { role: 'instructed' }),
    ],
  });

  it('have each its model before and after instructions, smallest first', () => {
    expect(many.answer.find((line) => line.startsWith('Asked about films'))).toMatch(/ 0\.50 before and 0\.65 after /);
    const from = many.blocks.findIndex((block) => block.kind === 'heading' && block.id === 'size');
    const [, , plot, list] = many.blocks.slice(from);
    if (plot?.kind !== 'plot' || list?.kind !== 'list') throw new Error('a plot and a list are needed');
    expect(plot.plot.xs.map(({ label }) => label)).toEqual(['20k', '100k']);
    expect(plot.plot.series.map(({ name, points }) => [name, ...points.map(({ value }) => value)])).toEqual([
      ['before instructions', 0.6, 0.5],
      ['after instructions', 0.45, 0.65],
    ]);
    expect(list.items).toEqual([
      expect.stringMatching(/^With 20k parameters: 0\.60 before, 0\.45 after; worse by 0\.15 \(0\.1\d to 0\.\d\d\)\.$/),
      expect.stringMatching(/^With 100k parameters: 0\.50 before, 0\.65 after; better by 0\.15 \(/),
    ]);
  });
});

describe('the caveats', () => {
  const caveats = (more: Partial<ComparisonOutcome>): string =>
    JSON.stringify(comparisonReport({ ...outcome, ...more }).blocks.at(-1));

  it('are those that the data show', () => {
    const plain = caveats({});
    expect(plain).toContain(
      '3 of 390 texts that were measured on occur in the training texts: the figures are too good.',
    );
    expect(plain).not.toContain('failed');
    expect(plain).not.toContain('Said the same label');
    const constant = results.map((result) =>
      result.cell.method === 'soft-prompt'
        ? {
            ...result,
            figures: {
              ...result.figures,
              confusion: [
                [200, 0],
                [200, 0],
              ],
            },
          }
        : result,
    );
    expect(caveats({ results: constant })).toContain('however many examples there were: soft-prompt.');
    const failed = [{ cell: results[0]!.cell, message: 'out of memory' }];
    expect(caveats({ failed })).toContain(
      '1 of 35 trainings failed, the first (prompt of encoder@1, 4 examples of each label, seed 13) with: out of memory'.replace(
        '35',
        String(results.length),
      ),
    );
    const atEdge = results.map((result) => ({ ...result, cell: { ...result.cell, rate: 3 } }));
    expect(caveats({ results: atEdge })).toContain('lies at the edge of those tried for fine-tuning, prompt');
  });
});

describe('a page', () => {
  const evil = '<script>alert(1)</script> & "x"';
  const named = comparisonReport({
    ...outcome,
    comparison: { ...comparison, task: { ...comparison.task, name: evil } },
  });
  const html = htmlReport(named);

  it('needs nothing from elsewhere, and takes names for what they are', () => {
    expect(html).not.toMatch(/<script|<link|<img|@import|url\(|src=|href="(?!#)/);
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;x&quot;');
    expect(html.match(/https?:\/\/[^"<\s]*/g)?.every((url) => url === 'http://www.w3.org/2000/svg')).toBe(true);
    expect(markdownReport(named)).toContain('\\<script\\>alert(1)\\</script\\>');
  });

  it('is well-formed, and its links lead somewhere', () => {
    const open: string[] = [];
    for (const [, isEnd, name] of html.matchAll(/<(\/?)([a-z0-9]+)(?:\s[^>]*)?>/g)) {
      if (name === 'meta') continue;
      if (isEnd === '') open.push(name!);
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
    const ids = new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    const links = [...html.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id!);
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter((id) => !ids.has(id))).toEqual([]);
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('draws every figure where its value is', () => {
    const [plot] = named.blocks.filter((block) => block.kind === 'plot');
    expect(plot!.plot.series.map(({ name }) => name)).toEqual(['fine-tuning', 'prompt']);
    const svg = /<svg viewBox="0 0 460 300"[\s\S]*?<\/svg>/.exec(html)![0];
    expect(svg).toContain('<title>prompt, 16: 0.76 (');
    const ticks = [...svg.matchAll(/<text x="44" y="([\d.]+)"[^>]*>([\d.]+)<\/text>/g)].map(
      ([, y, value]) => [Number(y) - 4, Number(value)] as const,
    );
    const [[lowY, low], [highY, high]] = [ticks[0]!, ticks.at(-1)!];
    const exact = lowY + (((300 + 306 + 302) / 1200 - low) / (high - low)) * (highY - lowY);
    // The corner of the square that marks it.
    const marks = [...svg.matchAll(/<title>prompt, 16:[^<]*<\/title>.*?<rect [^>]*y="([\d.]+)"/g)].map(
      ([, y]) => Number(y) + 3.5,
    );
    expect(marks).toHaveLength(1);
    expect(Math.abs(marks[0]! - exact)).toBeLessThan(0.2);
  });
});
