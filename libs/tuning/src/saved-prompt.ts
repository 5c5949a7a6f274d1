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
  const given = value as Readonly<Record<keyof SavedPrompt, unknown>> | null;
  const isText = (one: unknown): boolean => typeof one === 'string';
  const isList = (list: unknown, isFit: (one: unknown) => boolean): list is readonly unknown[] =>
    Array.isArray(list) && list.every(isFit);
  if (!isText(given?.template)) fail('template, a text, is missing');
  const { labels, words, prior, severalTokens, shown } = given!;
  if (!isList(labels, isText) || labels.length < 2) return fail('labels, a list of two names or more, is missing');
  const areWords =
    typeof words === 'object' && words !== null && Object.values(words).every((list) => isList(list, isText));
  if (!areWords) fail('words, lists by label, are missing');
  const isShare = (one: unknown): boolean => typeof one === 'number' && one >= 0;
  if (prior !== undefined && !(isList(prior, isShare) && prior.length === labels.length))
    fail('prior: a number of each label is needed');
  if (severalTokens !== undefined && severalTokens !== 'mean' && severalTokens !== 'first')
    fail(`severalTokens is ${JSON.stringify(severalTokens)}; there are mean and first`);
  const isExample = (one: unknown): boolean => {
    const { text, label } = (one ?? {}) as Readonly<Record<string, unknown>>;
    return isText(text) && typeof label === 'number' && labels[label] !== undefined;
  };
  if (shown !== undefined && !isList(shown, isExample)) fail('shown: examples of text and label are needed');
  return value as SavedPrompt;
}
