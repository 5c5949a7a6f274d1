/** The question as it is. */
import { extractAnswer } from '../answers/task-answer.ts';
import type { Completion, Run } from '../run.ts';
import type { Outcome } from '../step.ts';
import { askOnce, type Strategy } from '../strategy.ts';

export function createDirect(): Strategy {
  return askOnce(
    'direct',
    // eslint-disable-next-line require-yield, @typescript-eslint/require-await -- a question that takes no steps to make
    async function* (run) {
      return {
        purpose: 'answer',
        messages: run.conversation(undefined, [{ role: 'user', content: run.task.question }]),
      };
    },
    readAnswer,
  );
}

/** The whole text for people, and in it the answer of the kind that is wanted. */
export function readAnswer({ text }: Pick<Completion, 'text'>, run: Run): Outcome {
  const shown = text.trim();
  const answer = extractAnswer(shown, run.answerKind);
  return answer === undefined ? { status: 'none', text: shown } : { status: 'answered', text: shown, key: answer.key };
}

/** The answer alone for people, where it can be told from the reasoning; otherwise the whole text. */
export function readConclusion({ text }: Pick<Completion, 'text'>, run: Run): Outcome {
  const whole = text.trim();
  const answer = extractAnswer(whole, run.answerKind);
  return answer === undefined
    ? { status: 'none', text: whole }
    : { status: 'answered', text: answer.text, key: answer.key };
}
