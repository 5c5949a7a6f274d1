/** prompt.json: how a model, or an adapter, that was tuned with a prompt is asked for labels. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CrucibleError, writeFileAtomic } from '@crucible/foundation';
import type { LabelledText } from './task.ts';
import type { LabelWords, SeveralTokens } from './verbalizer.ts';

export interface SavedPrompt {
  readonly labels: readonly string[];
  readonly template: string;
  readonly words: LabelWords;
  /** Of encoders. */
  readonly severalTokens?: SeveralTokens;
  /** What probabilities are divided by. */
  readonly prior?: readonly number[];
  /** Solved examples that stand before every prompt of a decoder. */
  readonly shown?: readonly LabelledText[];
}

export const promptFile = 'prompt.json';

export function savePrompt(folder: string, prompt: SavedPrompt): void {
  writeFileAtomic(join(folder, promptFile), `${JSON.stringify(prompt, null, 2)}\n`);
}

/** Throws for a file that is none, and names it. */
export function readPrompt(folder: string): SavedPrompt {
  const path = join(folder, promptFile);
  const fail = (what: string): never => {
    throw new CrucibleError('invalid-input', `${path}: ${what}`, { at: path });
  };
  if (!existsSync(path)) return fail('there is no such file; crucible tune keeps one beside what it has tuned');
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (reason) {
    return fail(`it is not JSON: ${(reason as Error).message}`);
  }
  const given = value as Partial<SavedPrompt> | null;
  const areTexts = (list: unknown): boolean => Array.isArray(list) && list.every((one) => typeof one === 'string');
  if (typeof given?.template !== 'string') fail('template, a text, is missing');
  if (!areTexts(given!.labels) || given!.labels!.length < 2) fail('labels, a list of two names or more, is missing');
  const { words, prior, severalTokens, shown } = given!;
  if (typeof words !== 'object' || !Object.values(words).every(areTexts)) fail('words, lists by label, are missing');
  const isPrior =
    prior === undefined ||
    (Array.isArray(prior) && prior.length === given!.labels!.length && prior.every((p) => p >= 0));
  if (!isPrior) fail('prior: a number of each label is needed');
  if (severalTokens !== undefined && severalTokens !== 'mean' && severalTokens !== 'first')
    fail(`severalTokens is ${JSON.stringify(severalTokens)}; there are mean and first`);
  const areShown =
    shown === undefined ||
    (Array.isArray(shown) &&
      shown.every((one) => typeof one?.text === 'string' && given!.labels![one.label] !== undefined));
  if (!areShown) fail('shown: examples of text and label are needed');
  return given as SavedPrompt;
}
