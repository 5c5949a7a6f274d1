/** What tells a model that a program or actions are wanted: the same words in training and in use. */

export const systemPrompts = {
  program: 'Write a Python program that solves the problem.',
  python: 'Think and act. Actions: Python[expression], Finish[answer].',
  search: 'Think and act. Actions: Search[title], Lookup[word], Finish[answer].',
} as const;
