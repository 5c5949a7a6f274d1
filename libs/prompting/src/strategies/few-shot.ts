/**
 * Solved examples before the question (Brown et al., 2020), and with reasoning in them a chain of thought (Wei et al.,
 * 2022). In general wording an example is a turn of the conversation; in forged wording all stand in one message, as
 * the built-in world lays them out.
 */
import { invalidInput } from '@crucible/foundation';
import type { ChatMessage } from '../chat-model.ts';
import { assertExamples, chooseExamples, type Example, type ExampleChoice } from '../examples.ts';
import { forgedWords } from '../forged-words.ts';
import type { Run } from '../run.ts';
import { askOnce, type Strategy } from '../strategy.ts';
import { readAnswer, readConclusion } from './direct.ts';

export interface FewShotOptions extends ExampleChoice {
  readonly examples: readonly Example[];
  /**
   * `turns`, or one text of which every example is a paragraph; `{question}` and `{answer}` are put into it, and for
   * the question itself what follows `{answer}` is left open. Default: turns in general wording,
   * `Text: {question} Answer: {answer}` in forged wording.
   */
  readonly layout?: 'turns' | { readonly example: string };
}

export function createFewShot(options: FewShotOptions): Strategy {
  assertExamples(options.examples, options, 'answer');
  return withExamples('few-shot', options, ({ answer }) => answer, readAnswer);
}

/** The words that the paper's examples end with, and that extraction looks for. */
function workedAnswer({ reasoning, answer }: Example): string {
  return `${reasoning!}\nThe answer is ${answer}.`;
}

export function createChainOfThought(options: FewShotOptions): Strategy {
  assertExamples(options.examples, options, 'reasoning');
  return withExamples('cot', options, workedAnswer, readConclusion);
}

function withExamples(
  name: string,
  options: FewShotOptions,
  answerOf: (example: Example) => string,
  read: typeof readAnswer,
): Strategy {
  if (
    options.layout !== undefined &&
    options.layout !== 'turns' &&
    !/\{question\}[\s\S]*\{answer\}/.test(options.layout.example)
  )
    throw invalidInput('layout: {question} and then {answer} must occur in it', { at: 'layout' });
  return askOnce(
    name,
    async function* (run) {
      const layout = options.layout ?? (run.model.wording === 'forged' ? { example: forgedWords.example } : 'turns');
      const messages = yield* chooseExamples(run, options.examples, options, (chosen) =>
        run.conversation(
          undefined,
          layout === 'turns' ? asTurns(run, chosen, answerOf) : [asText(run, chosen, answerOf, layout.example)],
        ),
      );
      // A model that has got the pattern goes on with a question of its own.
      const stops =
        layout === 'turns'
          ? []
          : ['\n\n', `\n${layout.example.split('{question}')[0]!.trim()}`].filter(
              (stop) => stop.trim() !== '' || stop === '\n\n',
            );
      return { purpose: 'answer', messages, stops };
    },
    read,
  );
}

function asTurns({ task }: Run, examples: readonly Example[], answerOf: (example: Example) => string): ChatMessage[] {
  return [
    ...examples.flatMap((example): ChatMessage[] => [
      { role: 'user', content: example.question },
      { role: 'assistant', content: answerOf(example) },
    ]),
    { role: 'user', content: task.question },
  ];
}

function asText(
  { task }: Run,
  examples: readonly Example[],
  answerOf: (example: Example) => string,
  example: string,
): ChatMessage {
  const [before, , after] = example.split(/(\{answer\})/);
  const fill = (question: string): string => before!.replace('{question}', () => question);
  const solved = examples.map((each) => fill(each.question) + answerOf(each) + (after ?? ''));
  return { role: 'user', content: [...solved, fill(task.question).trimEnd()].join('\n\n') };
}
