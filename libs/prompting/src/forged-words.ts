/**
 * The words that a model forged here is asked in. This is where they are: the built-in world makes its training data of
 * them, and the strategies their prompts, so that a model meets in use what it has learned.
 */
export const forgedWords = {
  /** The system message of PAL. */
  program: 'Write a Python program that solves the problem.',

  /** The system message of ReAct; `usages` as in `Search[title]`. */
  actions: (usages: readonly string[]): string =>
    `Think and act. Actions: ${[...usages, 'Finish[answer]'].join(', ')}.`,

  /** What ReAct is told after an action. */
  observation: (step: number, text: string): string => `Observation ${step}: ${text}`,

  /** The question of RAG, below its passages. */
  passages: (passages: readonly string[], question: string): string =>
    `Passages:\n${numberedPassages(passages)}\nQuestion: ${question}`,

  /** What RAG shows: in forged wording a model has learned to read so many. */
  passageCount: 2,

  /** Where the passages hold no answer. */
  notSaid: 'The passages do not say.',

  /** Behind a question, the trigger of zero-shot chain of thought (Kojima et al., 2022). */
  steps: "Let's think step by step.",

  /** A solved example; those of a prompt are paragraphs. */
  example: 'Text: {question} Answer: {answer}',

  /** Of what Python comes to, behind the point. */
  decimals: 6,
} as const;

/** Numbered from 1, one a line: `[1] The mayor of Tamova is Belan Galder.` */
export function numberedPassages(passages: readonly string[]): string {
  return passages.map((passage, i) => `[${i + 1}] ${passage}`).join('\n');
}
