/**
 * Instruction tuning (Wei et al. 2022): a decoder learns to follow instructions of many tasks, and is measured on tasks of
 * clusters that it has never seen, by ranking their options and by what it writes.
 *
 * An instruction is read as `PROMPT\nAnswer:`, and answered after a space, up to the end of a text: ordinary words, which a
 * base model knows too, so that both are asked alike. Answers alone are learned; several instructions share a row and do not
 * see each other.
 */
import type { Random } from '@crucible/foundation';
import { invalidInput } from '@crucible/foundation';
import { GenerationEngine, LogProbabilityScorer } from '@crucible/inference';
import type { ModelWeights } from '@crucible/nn';
import type { Tokenizer } from '@crucible/tokenizer';
import { generatedChats, sft, type SftSettings, type TokenizedChat } from '@crucible/training';
import { scoreContinuations } from '../continuations.ts';
import type { TuneContext } from '../method.ts';
import type { CausalModel } from '../methods/causal-reader.ts';
import { specialTokensAround } from '../template.ts';
import type { Instruction, InstructionTask } from './instruction-task.ts';
import { createMixture } from './mixture.ts';

export interface InstructSettings extends Pick<
  SftSettings,
  'seed' | 'steps' | 'rows' | 'time' | 'optimizer' | 'learningRate' | 'warmupSteps' | 'weightDecay'
> {
  /** Examples of a task that count at most for its share of the mixture. */
  readonly cap: number;
}

export const instructDefaults: InstructSettings = {
  seed: 1,
  steps: 400,
  rows: 8,
  time: 256,
  optimizer: 'adamw',
  learningRate: 1e-3,
  warmupSteps: 20,
  weightDecay: 0.01,
  cap: 3000,
};

const chatTemplate = [
  "{% for message in messages %}{% if message['role'] == 'assistant' %}",
  "{{ '\\nAnswer: ' + message['content'] + eos_token + '\\n' }}",
  "{% else %}{{ message['content'] }}{% endif %}{% endfor %}",
  "{% if add_generation_prompt %}{{ '\\nAnswer:' }}{% endif %}",
].join('');

/** The tokenizer that reads conversations as instructions, so that the model can be talked to. */
export function withInstructionFormat(tokenizer: Tokenizer): Tokenizer {
  return tokenizer.withSettings({ chatTemplate });
}

/** As the model reads it, and as it is to go on. */
function encodeInstruction(
  tokenizer: Tokenizer,
  { prompt, answer }: Instruction,
): { readonly prompt: number[]; readonly answer: number[] } {
  return {
    prompt: [...specialTokensAround(tokenizer, 'causal').before, ...tokenizer.encode(`${prompt}\nAnswer:`)],
    answer: encodeAnswer(tokenizer, answer),
  };
}

function encodeAnswer(tokenizer: Tokenizer, answer: string): number[] {
  return tokenizer.encode(` ${answer}`);
}

/** How often another instruction is drawn of a task where one does not fit. */
const mostDraws = 100;

/** Trains all of the decoder on a mixture of tasks. */
export async function instruct(
  model: CausalModel,
  tasks: readonly InstructionTask[],
  given: Partial<InstructSettings> = {},
  { signal, report }: TuneContext = {},
): Promise<ModelWeights> {
  const { cap, ...settings } = { ...instructDefaults, ...given };
  const { weights, config, tokenizer } = model;
  const time = Math.min(settings.time, config.maxPositions);
  const mixture = createMixture(tasks, cap);
  const end = tokenizer.eosId;
  if (end === undefined)
    throw invalidInput(`${model.base}: its tokenizer has no token that ends a text; answers would have no end`, {
      at: 'model',
    });
  const next = (random: Random): TokenizedChat => {
    for (let draws = 0; draws < mostDraws; draws++) {
      const { prompt, answer } = encodeInstruction(tokenizer, mixture.draw(random));
      if (prompt.length + answer.length + 1 > time) continue;
      return {
        ids: [...prompt, ...answer, end],
        answerMask: [...prompt.map(() => false), ...answer.map(() => true), true],
      };
    }
    throw invalidInput(`instructions: of ${mostDraws} that were drawn none fits ${time} tokens`, { at: 'time' });
  };
  const result = await sft(
    { config, base: weights, source: generatedChats(next, { seed: settings.seed, pad: tokenizer.padId ?? 0 }) },
    { ...settings, time, decayShare: 0.8 },
    {
      ...(signal && { signal }),
      observe: ({ step, steps, metrics }) => report?.({ step, steps, loss: metrics['loss']! }),
    },
  );
  return result.weights;
}

/** How a model did on the instructions of one task, in their order. */
export interface ZeroShotOutcome {
  readonly task: string;
  readonly cluster: string;
  /** Whether the right option was the likeliest; undefined where there are no options. */
  readonly ranked: readonly boolean[] | undefined;
  /** Whether what was written is the right answer, whatever its case, spaces and last punctuation. */
  readonly generated: readonly boolean[];
  /** Instructions that are too long for the model, and in neither. */
  readonly tooLong: number;
}

/** Tokens that an answer may be longer than the right one. */
const roomForMore = 8;

/** Asks a model the instructions that a task is measured on. */
export async function zeroShot(
  { weights, config, tokenizer }: Pick<CausalModel, 'weights' | 'config' | 'tokenizer'>,
  tasks: readonly InstructionTask[],
  { signal }: Pick<TuneContext, 'signal'> = {},
): Promise<ZeroShotOutcome[]> {
  const pad = tokenizer.padId ?? 0;
  const context = config.maxPositions;
  const scorer = new LogProbabilityScorer(weights, config);
  const engine = new GenerationEngine({ maxBatch: 64 });
  engine.setModel({ version: 1, weights, config });
  try {
    const outcomes: ZeroShotOutcome[] = [];
    for (const { name, cluster, test } of tasks) {
      const all = test.map((instruction) => {
        const options = instruction.options?.map((option) => encodeAnswer(tokenizer, option));
        const encoded = encodeInstruction(tokenizer, instruction);
        const longest = Math.max(encoded.answer.length, ...(options ?? []).map(({ length }) => length));
        const maxTokens = encoded.answer.length + roomForMore;
        return {
          instruction,
          ...encoded,
          options,
          maxTokens,
          length: encoded.prompt.length + Math.max(longest, maxTokens),
        };
      });
      const asked = all.filter(({ length }) => length < context);
      const choices = asked.flatMap(({ prompt, options }) => (options ? [{ prompt, continuations: options }] : []));
      const logs = await scoreContinuations(scorer, weights, choices, { context, pad });
      const ranked = asked
        .filter(({ options }) => options !== undefined)
        .map(({ instruction: { options, answer } }, i) => options![logs[i]!.indexOf(Math.max(...logs[i]!))] === answer);
      const written = await engine.generateAll(
        asked.map(({ prompt, maxTokens }) => ({
          prompt,
          maxTokens,
          sampling: { temperature: 0 },
          stopTokens: tokenizer.eosId === undefined ? [] : [tokenizer.eosId],
          ...(signal && { signal }),
        })),
      );
      const generated = written.map(({ tokens }, i) => {
        const text = tokenizer.decode(
          tokens.map(({ id }) => id),
          { skipSpecialTokens: true },
        );
        return isSameAnswer(text, asked[i]!.instruction.answer);
      });
      outcomes.push({
        task: name,
        cluster,
        ranked: ranked.length === 0 ? undefined : ranked,
        generated,
        tooLong: all.length - asked.length,
      });
    }
    return outcomes;
  } finally {
    await scorer.dispose();
    await engine.dispose();
  }
}

/** A base model does not know where to stop: of what is written as many lines count as the right answer has. */
function isSameAnswer(written: string, answer: string): boolean {
  const lines = answer.trim().split('\n').length;
  return plain(written.trim().split('\n').slice(0, lines).join('\n')) === plain(answer);
}

function plain(text: string): string {
  const words = text.toLowerCase().replace(/\s+/g, ' ').trim();
  return words.replace(/[\s\p{P}]+$/u, '') || words;
}
