/** Solved examples for a prompt: read, chosen, and fitted into the context. */
import { invalidInput } from '@crucible/foundation';
import type { ChatMessage } from './chat-model.ts';
import { LexicalIndex } from './lexical-index.ts';
import type { Run, StepStream } from './run.ts';
import { untilAborted } from './until-aborted.ts';

export interface Example {
  readonly question: string;
  readonly answer: string;
  /** How one gets there; chains of thought need it. */
  readonly reasoning?: string;
}

export interface ExampleChoice {
  /** The most examples. Default 8. */
  readonly count?: number;
  /** `fixed`: the first of the list. `similar`: those most like the question, the most similar last. Default fixed. */
  readonly select?: 'fixed' | 'similar';
}

/**
 * JSON Lines of {"question", "answer", "reasoning"?}; in an answer like GSM8K's, "16 - 3 = <<16-3=13>>13 … #### 13",
 * the reasoning stands before the mark. `source` is named in errors, with the line.
 */
export function parseExamples(text: string, source: string): Example[] {
  const examples = text
    .split('\n')
    .flatMap((line, i) => (line.trim() === '' ? [] : [parseExample(line, `${source}:${i + 1}`)]));
  if (examples.length === 0) throw invalidInput(`${source}: holds no examples`, { at: source });
  return examples;
}

function parseExample(line: string, at: string): Example {
  let row: Partial<Record<keyof Example, unknown>> | null;
  try {
    row = JSON.parse(line) as Partial<Record<keyof Example, unknown>> | null;
  } catch (reason) {
    throw invalidInput(`${at}: is no JSON: ${(reason as Error).message}`, { at });
  }
  const field = (name: keyof Example): string => {
    const value = typeof row === 'object' ? row?.[name] : undefined;
    if (typeof value !== 'string' || value.trim() === '')
      throw invalidInput(`${at}: ${name} ${value === undefined ? 'is missing' : 'must be a text that is not empty'}`, {
        at,
      });
    return value.trim();
  };
  const [question, answer] = [field('question'), field('answer')];
  const marked = /^([\s\S]*)####([^\n]*)\s*$/.exec(answer);
  if (marked) {
    const [worked, result] = [marked[1]!.replace(/<<[^>]*>>/g, '').trim(), marked[2]!.trim()];
    if (result === '') throw invalidInput(`${at}: answer: nothing stands behind ####`, { at });
    return { question, answer: result, ...(worked !== '' && { reasoning: worked }) };
  }
  return { question, answer, ...(row?.reasoning !== undefined && { reasoning: field('reasoning') }) };
}

export function assertExamples(
  examples: readonly Example[],
  { count = 8 }: ExampleChoice,
  { reasoned }: { readonly reasoned: boolean },
): void {
  if (examples.length === 0) throw invalidInput('examples: there are none', { at: 'examples' });
  if (!Number.isSafeInteger(count) || count < 1)
    throw invalidInput(`examples.count: ${count} is given; a whole number of at least 1 is allowed`, {
      at: 'examples.count',
    });
  for (const [i, { question, answer, reasoning = '' }] of examples.entries()) {
    const at = `examples[${i}]`;
    if (question.trim() === '' || answer.trim() === '')
      throw invalidInput(`${at}: question and answer must not be empty`, { at });
    if (reasoned && reasoning.trim() === '')
      throw invalidInput(`${at}: has no reasoning, and a chain of thought is made of it`, { at });
  }
}

/** Chooses examples and drops as many as do not fit beside the question; `write` makes the prompt of those that are left. */
export async function* chooseExamples(
  run: Run,
  examples: readonly Example[],
  { count = 8, select = 'fixed' }: ExampleChoice,
  write: (chosen: readonly Example[]) => ChatMessage[],
): StepStream<ChatMessage[]> {
  const wanted = select === 'fixed' ? examples.slice(0, count) : await similarExamples(run, examples, count);
  let chosen = [...wanted];
  // The least similar is the first, the least important of fixed ones the last.
  while (chosen.length > 0 && run.countTokens(write(chosen)) > run.promptRoom)
    chosen = select === 'similar' ? chosen.slice(1) : chosen.slice(0, -1);
  yield { kind: 'examples', chosen: chosen.map(({ question }) => question), leftOut: wanted.length - chosen.length };
  return write(chosen);
}

async function similarExamples(run: Run, examples: readonly Example[], count: number): Promise<Example[]> {
  const { question } = run.task;
  const order = run.embedder
    ? await byEmbedding(run, examples)
    : new LexicalIndex(examples.map((example) => example.question)).search(question, count).map(({ index }) => index);
  // Where too few share a word with the question, others fill up, and stand first.
  const filled = [
    ...order,
    ...examples
      .keys()
      .filter((index) => !order.includes(index))
      .take(Math.max(0, count - order.length)),
  ];
  return filled
    .slice(0, count)
    .reverse()
    .map((index) => examples[index]!);
}

async function byEmbedding({ embedder, task, signal }: Run, examples: readonly Example[]): Promise<number[]> {
  const texts = [task.question, ...examples.map(({ question }) => question)];
  const [wanted, ...vectors] = await untilAborted(embedder!.embed(texts, { signal }), signal);
  const scores = vectors.map((vector) => cosine(wanted!, vector));
  return [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b);
}

function cosine(a: readonly number[] | Float32Array, b: readonly number[] | Float32Array): number {
  let [product, ofA, ofB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += a[i]! * b[i]!;
    ofA += a[i]! ** 2;
    ofB += b[i]! ** 2;
  }
  return product / (Math.sqrt(ofA * ofB) || 1);
}
