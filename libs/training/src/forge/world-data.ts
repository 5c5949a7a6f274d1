/** The built-in world as forge data: seeded, unlimited, with an exact verifier. */
import type { Example, Split, World } from '@crucible/data';
import { invalidInput, Random } from '@crucible/foundation';
import type { GenerationEngine } from '@crucible/inference';
import { applyChatTemplate, encodeChat, type Tokenizer } from '@crucible/tokenizer';
import { type AnswerGroup, generatedAnswers, type GradedAnswer } from '../batches/answer-groups.ts';
import { generatedChats, type TokenizedChat } from '../batches/chat-rows.ts';
import { documentSource } from '../batches/token-windows.ts';
import type { PromptSource } from '../ppo.ts';
import { writtenAnswers } from './written-answers.ts';
import type { ChatFigures, EvaluateOptions, ForgeData, PreferenceData } from './forge-data.ts';

/** Text that the tokenizer is trained on, in characters. */
const tokenizerCharacters = 1_500_000;
const validationDocuments = 400;
/** Questions whose answers by B itself are graded, and answers to each. */
const gradedPrompts = 768;
const answersPerPrompt = 3;
/** Share of B's own answers in what C learns from; the others are written. */
const ownShare = 0.25;
const heldOutGroups = 256;
const longestAnswer = 96;
/** Questions that are drawn until one is short enough. */
const promptAttempts = 1000;

export function worldData(world: World): ForgeData {
  return {
    description: `the built-in world (${world.country}, seed ${world.seed})`,

    tokenizerTexts: function* () {
      const random = Random.seeded(world.seed).fork('tokenizer');
      for (let written = 0; written < tokenizerCharacters;) {
        const chat = world.example({ split: 'train', random });
        for (const text of [world.document(random), ...chat.messages.map(({ content }) => content), chat.response]) {
          written += text.length;
          yield text;
        }
      }
    },

    text: (tokenizer, seed) => {
      const separator = endOfText(tokenizer);
      const random = Random.seeded(world.seed).fork('validation');
      const documents = Array.from({ length: validationDocuments }, () => world.document(random, 'heldout'));
      return {
        source: documentSource((own) => tokenizer.encode(world.document(own)), separator, seed),
        validation: {
          tokens: Int32Array.from(documents.flatMap((document) => [separator, ...tokenizer.encode(document)])),
          bytes: documents.reduce((sum, document) => sum + Buffer.byteLength(document), 0),
        },
      };
    },

    chats: (tokenizer, seed) =>
      generatedChats((random) => drawChat(world, tokenizer, random), { seed, pad: padOf(tokenizer) }),

    preferences: async (tokenizer, seed, engine, signal) => preferencesOf(world, tokenizer, seed, engine, signal),

    prompts: (tokenizer, seed) => {
      const promptsOf =
        (split: 'train' | 'heldout'): PromptSource =>
        (iteration, count, longest) => {
          const random = Random.seeded(seed).fork(`prompts ${split} ${iteration}`);
          const draw = (): readonly number[] => {
            for (let attempt = 0; attempt < promptAttempts; attempt++) {
              const prompt = promptOf(tokenizer, world.example({ split, random }));
              if (prompt.length <= longest) return prompt;
            }
            throw invalidInput(
              `prompts: none of ${promptAttempts} leaves room for an answer within ${longest} tokens`,
              { at: 'prompts' },
            );
          };
          return Array.from({ length: count }, draw);
        };
      return { train: promptsOf('train'), heldOut: promptsOf('heldout') };
    },

    evaluate: async (engine, tokenizer, options) => {
      const likeliest = await evaluateOnWorld(world, engine, tokenizer, { ...options, temperature: 0 });
      const sampled = await evaluateOnWorld(world, engine, tokenizer, { ...options, temperature: 1 });
      return { ...likeliest, score: sampled.score };
    },
  };
}

/** A demonstration to learn from; of tasks in several turns, the whole course of them. */
function drawChat(world: World, tokenizer: Tokenizer, random: Random): TokenizedChat {
  const example = world.example({ split: 'train', random });
  if (example.format === 'react' && (example.task === 'multihop' || example.task === 'calculation')) {
    const { messages } = world.trajectory({ split: 'train', random, task: example.task });
    return encodeChat(tokenizer, messages);
  }
  const { text } = world.demonstration(example, random);
  const chat = encodeChat(tokenizer, [...example.messages, { role: 'assistant', content: text }]);
  // Only the last answer is this example's.
  const first = promptOf(tokenizer, example).length;
  return { ids: chat.ids, answerMask: chat.answerMask.map((isAnswer, i) => isAnswer && i >= first) };
}

async function preferencesOf(
  world: World,
  tokenizer: Tokenizer,
  seed: number,
  engine: GenerationEngine,
  signal: AbortSignal | undefined,
): Promise<PreferenceData> {
  const end = endOfTurn(tokenizer);
  const written = (example: Example, random: Random): AnswerGroup => {
    const prompt = promptOf(tokenizer, example);
    return writtenAnswers(world, example, random).map(({ text, score, finished }) => ({
      ids: [...prompt, ...tokenizer.encode(text), ...(finished ? [end] : [])],
      score,
    }));
  };
  const draw = (split: 'train' | 'heldout', random: Random): AnswerGroup => {
    for (;;) {
      const group = written(world.example({ split, random }), random);
      if (isUseful(group)) return group;
    }
  };
  const own = await gradeOwnAnswers(world, tokenizer, seed, engine, signal);
  const heldOutRandom = Random.seeded(world.seed).fork('held-out answers');
  return {
    source: generatedAnswers(
      (random) => (own.length > 0 && random.boolean(ownShare) ? random.pick(own) : draw('train', random)),
      seed,
    ),
    heldOut: Array.from({ length: heldOutGroups }, () => draw('heldout', heldOutRandom)),
  };
}

/** Several answers of B to each of many questions, graded by the verifier in the place of people. */
async function gradeOwnAnswers(
  world: World,
  tokenizer: Tokenizer,
  seed: number,
  engine: GenerationEngine,
  signal: AbortSignal | undefined,
): Promise<AnswerGroup[]> {
  const random = Random.seeded(seed).fork('own answers');
  const examples = Array.from({ length: gradedPrompts }, () => world.example({ split: 'train', random }));
  const answers = await answerAll(
    engine,
    tokenizer,
    examples.flatMap((example) => Array.from({ length: answersPerPrompt }, () => example)),
    { temperature: 1, random, ...(signal && { signal }) },
  );
  const groups = examples.map((_example, i) => {
    const own = answers.slice(i * answersPerPrompt, (i + 1) * answersPerPrompt);
    return own.map(({ example, prompt, response, text, finished }): GradedAnswer => {
      return { ids: [...prompt, ...response], score: world.verify(example, text, { finished }).score };
    });
  });
  return groups.filter(isUseful);
}

interface Answer {
  readonly example: Example;
  readonly prompt: readonly number[];
  readonly response: readonly number[];
  readonly text: string;
  readonly finished: boolean;
}

interface AnswerOptions {
  readonly temperature: number;
  readonly random: Random;
  readonly signal?: AbortSignal;
}

/** The engine's answers to examples. */
export async function answerAll(
  engine: GenerationEngine,
  tokenizer: Tokenizer,
  examples: readonly Example[],
  { temperature, random, signal }: AnswerOptions,
): Promise<Answer[]> {
  const end = endOfTurn(tokenizer);
  const context = engine.model!.config.maxPositions;
  const prompts = examples.map((example) => promptOf(tokenizer, example));
  const generations = await engine.generateAll(
    prompts.map((prompt) => ({
      prompt,
      maxTokens: Math.min(longestAnswer, context - prompt.length),
      stopTokens: [end],
      sampling: { temperature, seed: random.uint32() },
      ...(signal && { signal }),
    })),
  );
  return generations.map(({ tokens, finish }, i) => {
    const response = tokens.map(({ id }) => id);
    const finished = finish === 'stop';
    const text = tokenizer.decode(finished ? response.slice(0, -1) : response, { skipSpecialTokens: true });
    return { example: examples[i]!, prompt: prompts[i]!, response, text, finished };
  });
}

/** Answers of the engine's model to held-out questions, judged by the verifier. */
export async function evaluateOnWorld(
  world: World,
  engine: GenerationEngine,
  tokenizer: Tokenizer,
  {
    count,
    signal,
    temperature,
    split = 'heldout',
  }: EvaluateOptions & { readonly temperature: number; readonly split?: Split },
): Promise<ChatFigures> {
  const random = Random.seeded(world.seed).fork('evaluation');
  const examples = Array.from({ length: count }, () => world.example({ split, random }));
  const answers = await answerAll(engine, tokenizer, examples, { temperature, random, ...(signal && { signal }) });
  const verdicts = answers.map(({ example, text, finished }) => world.verify(example, text, { finished }));
  const byTask = new Map<string, boolean[]>();
  verdicts.forEach(({ correct }, i) => {
    const { task } = examples[i]!;
    byTask.set(task, [...(byTask.get(task) ?? []), correct]);
  });
  return {
    exact: shareOf(verdicts.map(({ correct }) => correct)),
    score: verdicts.reduce((sum, { score }) => sum + score, 0) / verdicts.length,
    tasks: Object.fromEntries([...byTask].sort().map(([task, correct]) => [task, shareOf(correct)])),
  };
}

export function promptOf(tokenizer: Tokenizer, { messages }: Pick<Example, 'messages'>): number[] {
  return applyChatTemplate(tokenizer, messages, { addGenerationPrompt: true });
}

function isUseful(group: AnswerGroup): boolean {
  return new Set(group.map(({ score }) => score)).size > 1;
}

function shareOf(flags: readonly boolean[]): number {
  return flags.filter(Boolean).length / flags.length;
}

function padOf(tokenizer: Tokenizer): number {
  return tokenizer.padId ?? 0;
}

/** The token that ends an answer. */
function endOfTurn(tokenizer: Tokenizer): number {
  const { eosId } = tokenizer;
  if (eosId === undefined) throw new Error('internal: the tokenizer has no end token');
  return eosId;
}

/** The token between documents. */
function endOfText(tokenizer: Tokenizer): number {
  return tokenizer.bosId ?? endOfTurn(tokenizer);
}
