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
  /** Python that comes to the answer; examples of PAL need it. */
  readonly program?: string;
}

export interface ExampleChoice {
  /** The most examples. Default 8. */
  readonly count?: number;
  /** `fixed`: the first of the list. `similar`: those most like the question, the most similar last. Default fixed. */
  readonly select?: 'fixed' | 'similar';
}

/**
 * JSON Lines of {"question", "answer", "reasoning"?, "program"?}; in an answer like GSM8K's, "16 - 3 = <<16-3=13>>13 …
 * #### 13", the reasoning stands before the mark, and the notes for a calculator make a program. `source` is named in
 * errors, with the line.
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
  const given = (name: 'reasoning' | 'program'): Partial<Example> =>
    row?.[name] === undefined ? {} : { [name]: field(name) };
  const marked = /^([\s\S]*)####([^\n]*)\s*$/.exec(answer);
  if (!marked) return { question, answer, ...given('reasoning'), ...given('program') };
  const [worked, result] = [marked[1]!, marked[2]!.trim()];
  if (result === '') throw invalidInput(`${at}: answer: nothing stands behind ####`, { at });
  const reasoning = worked.replace(/<<[^>]*>>/g, '').trim();
  const program = programFromNotes(worked, result);
  return {
    question,
    answer: result,
    ...(reasoning !== '' && { reasoning }),
    ...(program !== undefined && { program }),
    ...given('program'),
  };
}

/**
 * The program that GSM8K's notes for a calculator are: `<<16-3-4=9>>`, `<<9*2=18>>` become two assignments, the second
 * of the first. Undefined where they are no sums, or do not come to the answer.
 */
function programFromNotes(worked: string, answer: string): string | undefined {
  const notes = Array.from(
    worked.matchAll(/<<([^=<>]+)=([^=<>]+)>>/g),
    ([, sum, value]) => [plainSum(sum!), plainSum(value!)] as const,
  );
  if (notes.length === 0 || !notes.every(([sum, value]) => /^[\d.+\-*/()\s]+$/.test(sum) && /^-?[\d.]+$/.test(value)))
    return undefined;
  if (Number(notes.at(-1)![1]) !== Number(plainSum(answer))) return undefined;
  const names = new Map<string, string>();
  const lines = notes.map(([sum, value], i) => {
    const line = `step${i + 1} = ${sum.replace(/\d+(?:\.\d+)?|\.\d+/g, (number) => names.get(number) ?? decimal(number))}`;
    names.set(value, `step${i + 1}`);
    return line;
  });
  return ['def solution():', ...[...lines, `return step${notes.length}`].map((line) => `    ${line}`)].join('\n');
}

function plainSum(text: string): string {
  return text.replace(/[,$%\s]/g, '').replace(/[xX×]/g, '*');
}

/** Python takes no zeros before an integer. */
function decimal(number: string): string {
  return number.replace(/^0+(?=\d)/, '');
}

/** Throws unless there are examples, with what a strategy needs of them. */
export function assertExamples(
  examples: readonly Example[],
  { count = 8 }: ExampleChoice,
  needed: 'answer' | 'reasoning' | 'program',
): void {
  if (examples.length === 0) throw invalidInput('examples: there are none', { at: 'examples' });
  if (!Number.isSafeInteger(count) || count < 1)
    throw invalidInput(`examples.count: ${count} is given; a whole number of at least 1 is allowed`, {
      at: 'examples.count',
    });
  for (const [i, example] of examples.entries()) {
    const at = `examples[${i}]`;
    if (example.question.trim() === '' || example.answer.trim() === '')
      throw invalidInput(`${at}: question and answer must not be empty`, { at });
    if ((example[needed] ?? '').trim() === '')
      throw invalidInput(`${at}: has no ${needed}, and this strategy shows it`, { at });
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
    : indexOf(examples)
        .search(question, count)
        .map(({ index }) => index);
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

const indexes = new WeakMap<readonly Example[], LexicalIndex>();

/** Made once for a list: of thousands of examples it takes longer than the search. */
function indexOf(examples: readonly Example[]): LexicalIndex {
  let index = indexes.get(examples);
  if (index === undefined) indexes.set(examples, (index = new LexicalIndex(examples.map(({ question }) => question))));
  return index;
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
