/** For tests: judges a response to a question that no task has drawn. */
import type { Expectation } from '../expectations/expectation.ts';
import type { Verdict } from '../verdict.ts';
import { verify } from '../verdict.ts';

export interface Question {
  readonly expected: Expectation;
  readonly question?: string;
  /** The ideal response. */
  readonly response?: string;
}

/** Gives reason and score, as in `rambling 0.6`. */
export function judge({ expected, question = '', response = '' }: Question, text: string, finished = true): string {
  const verdict = verdictOn({ expected, question, response }, text, finished);
  return `${verdict.reason} ${verdict.score}`;
}

function verdictOn({ expected, question, response }: Required<Question>, text: string, finished: boolean): Verdict {
  const messages = [{ role: 'user' as const, content: question }];
  const rest = { task: 'lookup', format: 'plain', split: 'train', answer: '', phrasing: '' } as const;
  return verify({ ...rest, messages, response, expected }, text, { finished });
}
