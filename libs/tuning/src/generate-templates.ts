/**
 * Templates that a model writes itself (Gao et al. 2021, "LM-BFF"): between the texts of examples and the words of their right
 * labels are gaps, and what the model finds likeliest in them, in the mean over the examples, is a template.
 *
 * Departure from the paper: there a T5 fills the gaps; here an encoder fills the places of a gap one after the other, in a beam,
 * so that no second model is needed.
 */
import { invalidInput, Random, throwIfCancelled } from '@crucible/foundation';
import { EncoderClassifier, type EncoderPrompt } from './encoder-classifier.ts';
import { logitsOf, type MaskedModel } from './prompt-model.ts';
import type { LabelledText, TaskData } from './task.ts';
import { parseTemplate, type Template, TemplateEncoder } from './template.ts';
import { createVerbalizer, type LabelWords } from './verbalizer.ts';
import { logSoftmax, wholeWords } from './words.ts';

export interface TemplateGeneration {
  /** Templates to write. Default: 12. */
  readonly count?: number;
  /** Beginnings of a gap that are kept. Default: 6. */
  readonly beam?: number;
  /** Examples that templates are written for, drawn by the seed. Default: 32. */
  readonly examples?: number;
  readonly seed: number;
  /** Threads within an operator; 0: one a core. Default: 0. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

export interface WrittenTemplate {
  readonly template: Template;
  /** Nats a written token, in the mean over the examples; higher is likelier. */
  readonly score: number;
}

interface Layout {
  readonly textFirst: boolean;
  /** Tokens before the label's word, and after it. */
  readonly before: number;
  readonly after: number;
}

/** The text before the gap, and after it. */
const layouts: readonly Layout[] = [true, false].flatMap((textFirst) =>
  [
    [1, 0],
    [2, 0],
    [1, 1],
    [2, 1],
    [3, 1],
  ].map(([before, after]) => ({ textFirst, before: before!, after: after! })),
);

const punctuation = /^[.,:;!?]$/;

/** Writes templates for the examples, the likeliest of each layout first. */
export async function generateTemplates(
  model: MaskedModel,
  words: LabelWords,
  { labels, train }: Pick<TaskData, 'labels' | 'train'>,
  { count = 12, beam = 6, examples = 32, seed, threads = 0, signal }: TemplateGeneration,
): Promise<WrittenTemplate[]> {
  if (!(Number.isInteger(count) && count >= 1)) throw invalidInput(`count: ${count} templates`, { at: 'count' });
  const { config, tokenizer } = model;
  const verbalizer = createVerbalizer(labels, words, tokenizer);
  const chosen = Random.seeded(seed).fork('templates').sample(train, Math.min(examples, train.length));
  const isWord = wholeWords(model);
  const allowed = Array.from({ length: Math.min(config.vocabularySize, tokenizer.vocabSize) }, (_, id) => id).filter(
    (id) => isWord(id) || punctuation.test(tokenizer.decode([id]).trim()),
  );
  const reader = new EncoderClassifier(
    {
      config,
      learned: {},
      frozen: model.weights,
      scores: (_learned, frozen, inputs) => logitsOf(frozen, config, inputs),
    },
    threads,
  );
  try {
    const found: WrittenTemplate[][] = [];
    for (const layout of layouts) {
      throwIfCancelled(signal, 'the search for templates');
      const gaps = chosen.map((example) => gapOf(layout, model, verbalizer.tokens[example.label]![0]!, example));
      found.push(await fillGaps(layout, gaps, { model, reader, allowed, beam }));
    }
    // Of each layout the likeliest first: which length is best, likelihood does not tell.
    const inTurn = Array.from({ length: beam }, (_, rank) => found.flatMap((own) => own.slice(rank, rank + 1))).flat();
    const unique = new Map(inTurn.map((written) => [written.template.source, written]));
    return [...unique.values()].slice(0, count);
  } finally {
    await reader.dispose();
  }
}

/** An example with its label's word, and the places that are to be filled. */
interface Gap {
  readonly ids: readonly number[];
  readonly places: readonly number[];
}

function gapOf(
  { textFirst, before, after }: Layout,
  { config, tokenizer }: MaskedModel,
  word: readonly number[],
  example: LabelledText,
): Gap {
  const hole = `{soft:${before}} {mask}${after > 0 ? ` {soft:${after}}` : ''}`;
  const source = textFirst ? `{text} ${hole}` : `${hole} {text}`;
  const longest = config.maxPositions - word.length + 1;
  const encoder = new TemplateEncoder(parseTemplate(source), tokenizer, { kind: 'masked', longest });
  const { ids, maskAt, softAt } = encoder.encode(example);
  const open = ids.map((id, i) => (softAt.includes(i) ? tokenizer.maskId! : id));
  return {
    ids: [...open.slice(0, maskAt), ...word, ...open.slice(maskAt + 1)],
    places: softAt.map((place) => (place > maskAt ? place + word.length - 1 : place)),
  };
}

interface Filling {
  readonly model: MaskedModel;
  readonly reader: EncoderClassifier;
  readonly allowed: readonly number[];
  readonly beam: number;
}

async function fillGaps(
  layout: Layout,
  gaps: readonly Gap[],
  { model, reader, allowed, beam }: Filling,
): Promise<WrittenTemplate[]> {
  let beginnings: { readonly tokens: readonly number[]; readonly score: number }[] = [{ tokens: [], score: 0 }];
  const slots = layout.before + layout.after;
  for (let slot = 0; slot < slots; slot++) {
    const prompts = beginnings.flatMap(({ tokens }) =>
      gaps.map(({ ids, places }): EncoderPrompt => {
        const filled = [...ids];
        tokens.forEach((token, n) => (filled[places[n]!] = token));
        return { ids: filled, at: places[slot]! };
      }),
    );
    const logits = await reader.scores(prompts);
    beginnings = beginnings
      .flatMap(({ tokens, score }, n) => {
        const rows = logits.slice(n * gaps.length, (n + 1) * gaps.length).map(logSoftmax);
        const means = allowed.map((id) => ({ id, mean: rows.reduce((sum, row) => sum + row[id]!, 0) / rows.length }));
        return means
          .sort((a, b) => b.mean - a.mean || a.id - b.id)
          .slice(0, beam)
          .map(({ id, mean }) => ({ tokens: [...tokens, id], score: score + mean }));
      })
      .sort((a, b) => b.score - a.score)
      .slice(0, beam);
  }
  return beginnings.map(({ tokens, score }) => ({
    template: parseTemplate(sourceOf(layout, tokens, model)),
    score: score / slots,
  }));
}

/** The template as it is written by hand: no space before punctuation. */
function sourceOf({ textFirst, before }: Layout, tokens: readonly number[], { tokenizer }: MaskedModel): string {
  const pieces = tokens.map((id) => tokenizer.decode([id]).trim());
  const hole = [...pieces.slice(0, before), '{mask}', ...pieces.slice(before)];
  const parts = textFirst ? ['{text}', ...hole] : [...hole, '{text}'];
  return parts.reduce(
    (source, part) => (source === '' || punctuation.test(part) ? source + part : `${source} ${part}`),
    '',
  );
}
