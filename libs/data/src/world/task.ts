import type { Random } from '@crucible/foundation';
import type { Encyclopedia } from './encyclopedia.ts';
import type { Example, Format, Question } from './example.ts';
import type { Split } from './split.ts';

/** What a task draws its examples from. */
export interface Draw {
  readonly split: Split;
  readonly random: Random;
  /** The name of the country. */
  readonly country: string;
  /** The pages of the split; in train, pages of this example's own. */
  encyclopedia(): Encyclopedia;
}

export type Drawn = Pick<Example, 'messages' | 'response' | 'answer' | 'phrasing' | 'expected'>;

/** The question of an example that has no format. */
export function plainQuestion({ messages, answer, phrasing, expected }: Drawn): DrawnQuestion {
  return { question: messages[0]!.content, answer, phrasing, expected };
}

export type DrawnQuestion = Omit<Question, 'task' | 'split'>;

export interface Task {
  /** How often each format is drawn; formats that are missing do not exist for the task. */
  readonly formats: Readonly<Partial<Record<Format, number>>>;
  draw(draw: Draw, format: Format): Drawn;
  question(draw: Draw): DrawnQuestion;
}
