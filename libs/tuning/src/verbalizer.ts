/**
 * From words to labels: which words at the place of the answer stand for which label, and what the model's numbers for their
 * tokens say of the labels.
 *
 * A label's score is the mean over its words of the mean over each word's tokens (or its first token alone) of the logits
 * at the place. Probabilities are the softmax of the scores; since every label's weights add up to one, it makes no
 * difference whether logits or log-probabilities are taken.
 */
import { invalidInput } from '@crucible/foundation';
import type { Tokenizer } from '@crucible/tokenizer';

/** Words by label. */
export type LabelWords = Readonly<Record<string, readonly string[]>>;

/** What counts of a word of several tokens at one place. */
export type SeveralTokens = 'mean' | 'first';

export interface Verbalizer {
  readonly labels: readonly string[];
  /** Words of each label. */
  readonly words: readonly (readonly string[])[];
  /** Tokens of each word of each label, as they come after a space. */
  readonly tokens: readonly (readonly (readonly number[])[])[];
  readonly severalTokens: SeveralTokens;
}

export interface VerbalizerOptions {
  /** Default: mean. */
  readonly severalTokens?: SeveralTokens;
}

/** Matches words with labels and a vocabulary; throws for labels without words, words of other labels, and words that the vocabulary lacks. */
export function createVerbalizer(
  labels: readonly string[],
  words: LabelWords,
  tokenizer: Tokenizer,
  { severalTokens = 'mean' }: VerbalizerOptions = {},
): Verbalizer {
  const fail = (what: string, label: string, word?: string): never => {
    const own = Object.hasOwn(words, label) ? words[label]! : [];
    throw invalidInput(`label words: ${what}\n${shownWords(label, own, word)}`, { at: 'words' });
  };
  const other = Object.keys(words).find((label) => !labels.includes(label));
  if (other !== undefined) fail(`there is no label ${JSON.stringify(other)}; there are ${labels.join(', ')}`, other);
  const owners = new Map<string, string>();
  const tokens = labels.map((label) => {
    const own = Object.hasOwn(words, label) ? words[label]! : [];
    if (own.length === 0)
      return fail(`label ${JSON.stringify(label)} has none; each of ${labels.join(', ')} needs one`, label);
    return own.map((word) => {
      const ids = wordTokens(tokenizer, word);
      if (ids === undefined)
        return fail(
          `${JSON.stringify(word)} of label ${JSON.stringify(label)} is not in the model's vocabulary`,
          label,
          word,
        );
      const key = ids.join(' ');
      const owner = owners.get(key);
      if (owner !== undefined && owner !== label)
        fail(
          `${JSON.stringify(word)} stands for both ${JSON.stringify(owner)} and ${JSON.stringify(label)}`,
          label,
          word,
        );
      owners.set(key, label);
      return ids;
    });
  });
  return { labels, words: labels.map((label) => words[label]!), tokens, severalTokens };
}

/** The words of a label as they are given on the command line, with carets under one of them, or under the label. */
function shownWords(label: string, own: readonly string[], word: string | undefined): string {
  const at = word === undefined ? -1 : own.indexOf(word);
  const start = at === -1 ? 0 : label.length + 1 + own.slice(0, at).reduce((sum, each) => sum + each.length + 1, 0);
  const carets = '^'.repeat(Math.max(1, at === -1 ? label.length : word!.length));
  return `  ${`${label}=${own.join(',')}`.replace(/\s/g, ' ')}\n  ${' '.repeat(start)}${carets}`;
}

/** The tokens of a word after a space; undefined where the vocabulary lacks some of it. */
function wordTokens(tokenizer: Tokenizer, word: string): number[] | undefined {
  const trimmed = word.trim();
  const ids = trimmed === '' ? [] : tokenizer.encode(` ${trimmed}`);
  const isUnknown = (id: number): boolean => tokenizer.isSpecial(id);
  return ids.length === 0 || ids.some(isUnknown) ? undefined : ids;
}

/** Every token that counts, and the weight of each in each label's score: [labels][tokens]. */
export function verbalizerWeights({ tokens, severalTokens }: Verbalizer): {
  readonly ids: number[];
  readonly weights: number[][];
} {
  const counted = tokens.map((words) => words.map((ids) => (severalTokens === 'first' ? ids.slice(0, 1) : ids)));
  const ids = [...new Set(counted.flat(2))].sort((a, b) => a - b);
  const weights = counted.map((words) => {
    const row = new Array<number>(ids.length).fill(0);
    for (const word of words) for (const id of word) row[ids.indexOf(id)]! += 1 / (words.length * word.length);
    return row;
  });
  return { ids, weights };
}

/** Probabilities of the labels, from their scores. */
export function softmaxOf(scores: readonly number[]): number[] {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/**
 * Probabilities corrected for what a model prefers whatever the input is: divided by `prior`, the mean over inputs that say
 * nothing or over unlabelled ones, and made to add up to one again (Zhao et al. 2021; Hu et al. 2022).
 */
export function calibrated(probabilities: readonly number[], prior: readonly number[]): number[] {
  const divided = probabilities.map((probability, i) => probability / Math.max(prior[i]!, 1e-12));
  const total = divided.reduce((sum, value) => sum + value, 0);
  return divided.map((value) => value / total);
}

/** The mean of several distributions. */
export function meanDistribution(distributions: readonly (readonly number[])[]): number[] {
  const [first] = distributions;
  return first!.map((_, i) => distributions.reduce((sum, each) => sum + each[i]!, 0) / distributions.length);
}

/**
 * Words for labels, found from examples: of each label the tokens whose log-probability at the place is, in the mean over its
 * own examples, the most above that over the other labels' (Schick et al. 2020, likelihood ratio). A token stands for one
 * label, that of its highest score. `logProbabilities` are
 * [examples][vocabulary]; `allowed` says which tokens may be words.
 */
export function searchLabelWords(
  logProbabilities: readonly Float32Array[],
  classes: readonly number[],
  labelCount: number,
  { allowed, count }: { readonly allowed: (id: number) => boolean; readonly count: number },
): { readonly id: number; readonly score: number }[][] {
  const size = logProbabilities[0]!.length;
  const sums = Array.from({ length: labelCount }, () => new Float64Array(size));
  const sizes = new Array<number>(labelCount).fill(0);
  logProbabilities.forEach((row, i) => {
    const label = classes[i]!;
    sizes[label]!++;
    for (let id = 0; id < size; id++) sums[label]![id]! += row[id]!;
  });
  const found = sums.map((): { id: number; score: number }[] => []);
  const total = logProbabilities.length;
  for (let id = 0; id < size; id++) {
    if (!allowed(id)) continue;
    const all = sums.reduce((sum, own) => sum + own[id]!, 0);
    const scores = sums.map(
      (own, label) => own[id]! / Math.max(1, sizes[label]!) - (all - own[id]!) / Math.max(1, total - sizes[label]!),
    );
    const best = scores.indexOf(Math.max(...scores));
    found[best]!.push({ id, score: scores[best]! });
  }
  return found.map((ranked) => ranked.sort((a, b) => b.score - a.score || a.id - b.id).slice(0, count));
}
