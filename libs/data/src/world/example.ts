/** One thing to learn from or to be tested on: messages up to an answer, and what the answer should be. */
import type { ChatMessage } from '@crucible/tokenizer';
import type { Expectation } from './expectations/expectation.ts';
import type { Split } from './split.ts';

export const taskNames = [
  'arithmetic',
  'calculation',
  'lookup',
  'multihop',
  'sentiment',
  'topic',
  'question-type',
  'instructions',
  'smalltalk',
] as const;

export type TaskName = (typeof taskNames)[number];

/**
 * - plain: the question alone.
 * - steps: the question asks for worked steps.
 * - program: the answer is a Python program.
 * - passages: numbered passages and a question about them.
 * - pages: the same as RAG asks it, with pages for passages.
 * - react: thoughts and actions; every example is one step, after the right ones.
 * - few-shot: solved examples before the question.
 */
export const formats = ['plain', 'steps', 'program', 'passages', 'pages', 'react', 'few-shot'] as const;

export type Format = (typeof formats)[number];

/** A question alone, without the format of any strategy: what strategies are measured by, and shown as examples. JSON-safe. */
export interface Question {
  readonly task: TaskName;
  readonly split: Split;
  /** As somebody asks who knows no format. */
  readonly question: string;
  /** Where a label is asked for: what it is of, which is all that solved examples show. */
  readonly text?: string;
  readonly answer: string;
  /** How one gets there in words, where there is more than one step to it. */
  readonly reasoning?: string;
  /** Python that works it out, where it is a calculation. */
  readonly program?: string;
  readonly phrasing: string;
  readonly expected: Expectation;
}

/** JSON-safe. */
export interface Example {
  readonly task: TaskName;
  readonly format: Format;
  readonly split: Split;
  /** Up to the answer; the last one is the user's or a tool's. */
  readonly messages: readonly ChatMessage[];
  /** The ideal response. */
  readonly response: string;
  /** What the response comes down to: a number, a word, a name, an action. */
  readonly answer: string;
  /** The template of the question, with slots in braces. */
  readonly phrasing: string;
  /** What `verify` holds a response against. */
  readonly expected: Expectation;
}
