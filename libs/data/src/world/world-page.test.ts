import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { documentWeights } from './documents/document.ts';
import { smallPageCounts } from './encyclopedia.ts';
import { taskNames } from './example.ts';
import { demonstrationMix } from './graded-answers.ts';
import { heldoutShare } from './split.ts';
import { renewedPage, worldPage, worldSamples } from './testing/world-page.ts';
import { scores, verdictReasons } from './verdict.ts';
import { createWorld, formatWeightsOf, taskWeights } from './world.ts';

const page = readFileSync(worldPage, 'utf8');

/** The cells of every row of every table. */
const rows = [...page.matchAll(/^\|(.*)\|$/gm)].map(([, cells]) => cells!.split('|').map((cell) => cell.trim()));

const percent = (share: number): string => `${Math.round(share * 100)} %`;

describe('docs/world.md', () => {
  it('shows the samples that the code makes, all of them', () => {
    const shown = [...page.matchAll(/<!-- sample: (.*) -->/g)].map(([, name]) => name!);
    expect(shown.sort()).toEqual([...worldSamples().keys()].sort());
    expect(page).toBe(renewedPage(page));
  });

  it('says how often tasks, formats and documents are drawn', () => {
    for (const task of taskNames) {
      const formats = Object.entries(formatWeightsOf(task)).map(([format, weight]) => `${format} ${percent(weight)}`);
      expect(rows.find(([name]) => name === `\`${task}\``)?.slice(1, 3)).toEqual([
        percent(taskWeights[task]),
        formats.join(', '),
      ]);
    }
    for (const [kind, weight] of Object.entries(documentWeights))
      expect(page).toContain(`### ${kind}: ${percent(weight)}\n`);
    const mix = Object.entries(demonstrationMix).map(([kind, weight]) => `${percent(weight)} ${kind}`);
    expect(page).toContain(`${mix.join(', ')}.`);
  });

  it('says what scores there are', () => {
    const scoreOf = Object.fromEntries(
      verdictReasons.map((reason) => [reason, Number(rows.find(([name]) => name === `\`${reason}\``)?.[1])]),
    );
    const { right, flawed, unfinished, refusing, wrong, worthless } = scores;
    expect(scoreOf).toEqual({
      right,
      rambling: flawed,
      uncited: flawed,
      unworked: flawed,
      unfinished,
      refusing,
      wrong,
      empty: worthless,
    });
  });

  it('says how large the splits and the encyclopedia are', () => {
    expect(heldoutShare).toBe(1 / 8);
    expect(page).toContain(`has ${createWorld().encyclopedia('train').pages.length} pages`);
    const own = Object.values(smallPageCounts).reduce((sum, count) => sum + count, 0);
    expect(page).toContain(`In train every question gets ${own} pages of its own`);
  });
});
