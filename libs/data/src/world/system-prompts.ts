/** What tells a model that a program or actions are wanted: the same words in training and in use. */
import { forgedWords } from '@crucible/prompting';

export const systemPrompts = {
  program: forgedWords.program,
  python: forgedWords.actions(['Python[expression]']),
  search: forgedWords.actions(['Search[title]', 'Lookup[word]']),
} as const;
