/**
 * Zero-shot chain of thought (Kojima et al., 2022): one call to reason, one to extract the answer from the reasoning.
 * Where the reasoning already says what the answer is, the second call is saved, unless it is asked for.
 */
import { type AnswerKind, statesAnswer } from '../answers/task-answer.ts';
import type { ChatMessage } from '../chat-model.ts';
import { forgedWords } from '../forged-words.ts';
import type { Strategy } from '../strategy.ts';
import { readConclusion } from './direct.ts';

export interface StepByStepOptions {
  /** Default: "Let's think step by step." */
  readonly trigger?: string;
  /** `unstated`: only where the reasoning does not state its answer. Default unstated. */
  readonly extract?: 'always' | 'unstated';
}

/** An answer is short. */
const extractionTokens = 64;

export function createStepByStep({
  trigger = forgedWords.steps,
  extract = 'unstated',
}: StepByStepOptions = {}): Strategy {
  return {
    name: 'step-by-step',
    needs: [],
    run: async function* (run) {
      const asked: ChatMessage[] = [{ role: 'user', content: `${run.task.question} ${trigger}` }];
      const reasoning = yield* run.ask({ purpose: 'reasoning', messages: run.conversation(undefined, asked) });
      run.partial = readConclusion(reasoning, run);
      if (extract === 'unstated' && statesAnswer(reasoning.text, run.answerKind)) return run.partial;
      const extraction: ChatMessage[] = [
        ...asked,
        { role: 'assistant', content: reasoning.text },
        { role: 'user', content: answerTrigger(run.answerKind) },
      ];
      const extracted = yield* run.ask({
        purpose: 'extraction',
        messages: run.conversation(undefined, extraction),
        maxTokens: Math.min(extractionTokens, run.maxTokens),
      });
      const outcome = readConclusion({ text: extracted.text }, run);
      return outcome.status === 'answered' ? outcome : run.partial;
    },
  };
}

/** The paper's, by kind of answer. */
function answerTrigger(kind: AnswerKind): string {
  switch (kind.kind) {
    case 'number':
      return 'Therefore, the answer (arabic numerals) is';
    case 'yes-no':
      return 'Therefore, the answer (Yes or No) is';
    case 'choice':
      return `Therefore, among A through ${String.fromCharCode(64 + kind.choices.length)}, the answer is`;
    case 'date':
      return 'Therefore, the answer (a date) is';
    case 'text':
      return 'Therefore, the answer is';
  }
}
