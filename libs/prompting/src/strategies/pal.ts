/**
 * Program-aided language models (Gao et al., 2022): the model writes a program, an interpreter works it out. Each
 * program has an interpreter of its own; an error goes back to the model, so many times. To vote over the results, draw
 * it several times: `createSelfConsistency({ of: createPal() })`.
 */
import { invalidInput } from '@crucible/foundation';
import { extractAnswer } from '../answers/task-answer.ts';
import type { ChatMessage } from '../chat-model.ts';
import type { CodeResult } from '../code-runner.ts';
import { assertExamples, chooseExamples, type Example, type ExampleChoice } from '../examples.ts';
import { forgedWords } from '../forged-words.ts';
import type { Run } from '../run.ts';
import type { Outcome } from '../step.ts';
import type { Strategy } from '../strategy.ts';
import { quoted, shortened } from '../untrusted-text.ts';
import { extractProgram, withValue } from './python-program.ts';

export interface PalOptions extends ExampleChoice {
  /** Problems with their programs, shown before the question. Default: none. */
  readonly examples?: readonly Example[];
  /** How often a program that failed may be written anew. Default 2. */
  readonly retries?: number;
  /** Of one program. Default 10,000. */
  readonly timeoutMs?: number;
}

const instructions = `${forgedWords.program} Define a function solution() without parameters that returns the answer, with the numbers of the problem as named variables. Use the standard library alone; read no input. Reply with one \`\`\`python block and nothing else.`;

/** Of an error, for the model; the end of a traceback says what went wrong. */
const mostErrorCharacters = 800;

export function createPal({ retries = 2, timeoutMs = 10_000, examples = [], ...choice }: PalOptions = {}): Strategy {
  if (examples.length > 0) assertExamples(examples, choice, 'program');
  if (!Number.isInteger(retries) || retries < 0)
    throw invalidInput(`retries: ${retries} is given; a whole number of at least 0 is allowed`, { at: 'retries' });
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1)
    throw invalidInput(`timeoutMs: ${timeoutMs} is given; a whole number of at least 1 is allowed`, {
      at: 'timeoutMs',
    });
  return {
    name: 'pal',
    needs: ['code'],
    run: async function* (run) {
      const isForged = run.model.wording === 'forged';
      const conversation = (shown: readonly Example[]): ChatMessage[] =>
        run.conversation(isForged ? forgedWords.program : instructions, [
          ...shown.flatMap(({ question, program }): ChatMessage[] => [
            { role: 'user', content: question },
            { role: 'assistant', content: isForged ? program! : `\`\`\`python\n${program!}\n\`\`\`` },
          ]),
          { role: 'user', content: run.task.question },
        ]);
      const asked =
        examples.length === 0 ? conversation([]) : yield* chooseExamples(run, examples, choice, conversation);
      let feedback: ChatMessage[] = [];
      for (let attempt = 1; attempt <= retries + 1; attempt++) {
        const { text } = yield* run.ask({
          purpose: attempt === 1 ? 'program' : 'correction',
          messages: [...asked, ...feedback],
        });
        const source = extractProgram(text);
        let fault = 'There is no program in it.';
        if (source !== undefined) {
          yield { kind: 'program', attempt, program: source };
          const { program, read } = withValue(source);
          const result = read(await run.runProgram(program, timeoutMs));
          yield { kind: 'program-result', attempt, ...result };
          const outcome = outcomeOf(result.value, run);
          if (outcome.status === 'answered') return outcome;
          fault = faultOf(result, timeoutMs);
        }
        // The last attempt alone: the mistakes of all of them would only be repeated, and fill the context.
        feedback = [
          { role: 'assistant', content: text },
          { role: 'user', content: `${fault}\nWrite the whole program again, corrected.` },
        ];
      }
      return { status: 'none', text: '' };
    },
  };
}

function outcomeOf(value: string | undefined, run: Run): Outcome {
  // What no number can come of is no result.
  const answer =
    value === undefined || /^[+-]?(?:nan|inf)$|^None$/.test(value) ? undefined : extractAnswer(value, run.answerKind);
  return answer === undefined ? { status: 'none', text: '' } : { status: 'answered', text: value!, key: answer.key };
}

function faultOf(
  { ended, stderr, stdout, value }: CodeResult & { readonly value?: string },
  timeoutMs: number,
): string {
  switch (ended) {
    case 'timeout':
      return `The program did not end within ${timeoutMs / 1000} seconds.`;
    case 'memory':
      return 'The program needs too much memory.';
    case 'output':
      return 'The program prints too much.';
    case 'failed':
      return `The program fails:\n${quoted(shortened(stderr.trim() || stdout.trim(), mostErrorCharacters, { tail: true }).text)}`;
    case 'finished':
      return value === undefined
        ? 'The program comes to no value: solution() must return the answer.'
        : `The program comes to a value that is no answer:\n${quoted(shortened(value, mostErrorCharacters).text)}`;
  }
}
