/** A user's own files as forge data. Everything is read and checked before any work begins. */
import {
  type InstructionRecord,
  type PreferenceRecord,
  type PromptRecord,
  readCorpus,
  readInstructions,
  readPreferences,
  readPrompts,
  type ReadRowsOptions,
  type RecordStream,
  splitByHash,
} from '@crucible/data';
import { CrucibleError, invalidInput, Random } from '@crucible/foundation';
import type { GenerationEngine } from '@crucible/inference';
import { applyChatTemplate, type ChatMessage, encodeChat, type Tokenizer } from '@crucible/tokenizer';
import { type AnswerGroup, finiteAnswers } from '../batches/answer-groups.ts';
import { type ChatSource, finiteChats } from '../batches/chat-rows.ts';
import { EpochOrder } from '../batches/epoch-order.ts';
import { streamSource } from '../batches/token-windows.ts';
import { answerEnd } from '../chat-format.ts';
import type { PromptSource } from '../ppo.ts';
import { answerScores } from './answer-scores.ts';
import type { ChatFigures, EvaluateOptions, ForgeData, PreferenceData } from './forge-data.ts';

export interface UserFiles {
  /** Folders or files of plain text. */
  readonly corpus: readonly string[];
  /** JSONL of questions with answers. */
  readonly instructions: readonly string[];
  /** JSONL of compared or graded answers. */
  readonly preferences: readonly string[];
}

/** Shares that are kept out of training and measured on. */
const heldOutText = 0.03;
const heldOutRows = 0.1;
const longestAnswer = 64;

export interface ReadOptions {
  /** What happens to a row that breaks the rules: the reading fails, or the row is left out and counted. Default: error. */
  readonly onInvalid?: 'error' | 'skip';
  /** Told how many rows of a file were left out. */
  readonly onNotice?: (notice: string) => void;
  readonly signal?: AbortSignal;
}

/** Reads the files for a forge; a corpus at least. */
export async function readUserData(files: UserFiles, options: ReadOptions = {}): Promise<ForgeData> {
  const corpus = readCorpora(files.corpus);
  const dialogues = await collect(files.instructions, readInstructions, options);
  const preferences = await collect(files.preferences, readPreferences, options);
  const instructions = splitByHash(dialogues, heldOutRows);
  // Files are often sorted by kind: the first few held-out questions would be of one kind. Every model gets the same.
  const questions = Random.seeded(0).fork('evaluation').shuffled(instructions.heldout);
  const compared = splitByHash(preferences, heldOutRows);
  if (dialogues.length > 0 && instructions.train.length === 0)
    throw invalidInput(`instructions: ${dialogues.length} are too few to hold some out`, { at: 'instructions' });
  if (preferences.length > 0) {
    if (dialogues.length === 0)
      throw invalidInput(
        'instructions are needed too: the reward model begins as the model that was fine-tuned on them',
        {
          at: 'instructions',
        },
      );
    assertComparable(compared);
  }

  return {
    description: [
      `${corpus.train.length} documents`,
      `${dialogues.length} instructions`,
      `${preferences.length} preferences`,
    ].join(', '),
    tokenizerTexts: function* () {
      yield* corpus.train;
      for (const dialogue of dialogues) for (const { content } of conversationOf(dialogue)) yield content;
    },
    text: (tokenizer, seed) => ({
      source: streamSource(encodeDocuments(tokenizer, corpus.train), seed),
      validation: {
        tokens: encodeDocuments(tokenizer, corpus.heldout),
        bytes: corpus.heldout.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
      },
    }),
    chats: dialogues.length === 0 ? undefined : (tokenizer, seed) => chatSource(tokenizer, instructions.train, seed),
    preferences:
      preferences.length === 0
        ? undefined
        : (tokenizer, seed) => Promise.resolve(preferenceData(tokenizer, compared, seed)),
    prompts:
      preferences.length === 0
        ? undefined
        : (tokenizer, seed) => ({
            train: promptSource(tokenizer, compared.train, seed),
            heldOut: promptSource(tokenizer, compared.heldout, seed),
          }),
    evaluate:
      questions.length === 0
        ? undefined
        : (engine, tokenizer, options) => evaluateOn(questions, engine, tokenizer, options),
  };
}

/** Texts, and the parts of them that are held out. */
export function readCorpora(paths: readonly string[]): { readonly train: string[]; readonly heldout: string[] } {
  if (paths.length === 0)
    throw invalidInput('a corpus is needed: folders or files of text to pre-train on', { at: 'corpus' });
  const corpus = {
    train: paths.flatMap((path) => corpusSide(path, 'train')),
    heldout: paths.flatMap((path) => corpusSide(path, 'heldout')),
  };
  if (corpus.heldout.length === 0) {
    throw invalidInput(
      `${paths.join(', ')}: too short; the last ${heldOutText * 100} % of each text, from the beginning of a line on, are held out to measure on, and there is no such line`,
      { at: 'corpus' },
    );
  }
  return corpus;
}

/** Conversations of instruction files, for a stage of its own. */
export async function readChatSource(
  paths: readonly string[],
  tokenizer: Tokenizer,
  seed: number,
  options: ReadOptions = {},
): Promise<ChatSource> {
  return chatSource(tokenizer, await collect(paths, readInstructions, options), seed);
}

/** Compared answers of preference files, for a stage of its own. */
export async function readPreferenceData(
  paths: readonly string[],
  tokenizer: Tokenizer,
  seed: number,
  options: ReadOptions = {},
): Promise<PreferenceData> {
  const split = splitByHash(await collect(paths, readPreferences, options), heldOutRows);
  assertComparable(split);
  return preferenceData(tokenizer, split, seed);
}

/** Prompts of any files, for a stage of its own. */
export async function readPromptSource(
  paths: readonly string[],
  tokenizer: Tokenizer,
  seed: number,
  options: ReadOptions = {},
): Promise<PromptSource> {
  return promptSource(tokenizer, await collect(paths, readPrompts, options), seed);
}

/** All records of all files. */
async function collect<T>(
  paths: readonly string[],
  read: (path: string, options: ReadRowsOptions) => RecordStream<T>,
  { onInvalid = 'error', onNotice, signal }: ReadOptions,
): Promise<T[]> {
  const records: T[] = [];
  for (const path of paths) {
    const stream = read(path, { onInvalid, ...(signal && { signal }) });
    for await (const record of stream) records.push(record);
    const { count } = stream.skipped;
    if (count > 0)
      onNotice?.(
        `${path}: ${count === 1 ? '1 row breaks the rules and was' : `${count} rows break the rules and were`} left out`,
      );
  }
  return records;
}

/** One side of a corpus; none where its texts are too short to hold something out. */
function corpusSide(path: string, side: 'train' | 'heldout'): string[] {
  try {
    const documents = readCorpus(path, { heldout: { by: 'tail', fraction: heldOutText }, side });
    return Array.from(documents, ({ text }) => text);
  } catch (reason) {
    if (reason instanceof CrucibleError && reason.at === 'heldout') return [];
    throw reason;
  }
}

/** The tokens of all texts, each after the separator. */
export function encodeDocuments(
  tokenizer: Tokenizer,
  texts: readonly string[],
  separator = tokenizer.bosId ?? tokenizer.eosId ?? 0,
): Int32Array {
  const parts = texts.map((text) => tokenizer.encode(text));
  const stream = new Int32Array(parts.reduce((sum, { length }) => sum + length + 1, 0));
  let at = 0;
  for (const part of parts) {
    stream[at++] = separator;
    stream.set(part, at);
    at += part.length;
  }
  return stream;
}

/** Question and answer. */
function conversationOf({ messages, response }: InstructionRecord): ChatMessage[] {
  return [...messages, { role: 'assistant', content: response }];
}

function chatSource(tokenizer: Tokenizer, dialogues: readonly InstructionRecord[], seed: number): ChatSource {
  const chats = dialogues.map((dialogue) => encodeChat(tokenizer, conversationOf(dialogue)));
  return finiteChats(chats, { seed, pad: tokenizer.padId ?? 0 });
}

interface ComparedAnswers {
  readonly train: readonly PreferenceRecord[];
  readonly heldout: readonly PreferenceRecord[];
}

function assertComparable({ train, heldout }: ComparedAnswers): void {
  if (train.length > 0 && heldout.length > 0) return;
  throw invalidInput(`preferences: ${train.length + heldout.length} are too few to hold some out`, {
    at: 'preferences',
  });
}

/** The answers of a record as tokens, with their scores; of two that were compared, 1 and 0. */
export function answerGroup(tokenizer: Tokenizer, record: PreferenceRecord): AnswerGroup {
  const prompt = applyChatTemplate(tokenizer, record.messages, { addGenerationPrompt: true });
  const answers =
    record.kind === 'graded'
      ? record.answers
      : [
          { text: record.chosen, score: 1 },
          { text: record.rejected, score: 0 },
        ];
  return answers.map(({ text, score }) => ({
    ids: [...prompt, ...tokenizer.encode(text), answerEnd(tokenizer)],
    score,
  }));
}

function preferenceData(tokenizer: Tokenizer, { train, heldout }: ComparedAnswers, seed: number): PreferenceData {
  const groupOf = (record: PreferenceRecord): AnswerGroup => answerGroup(tokenizer, record);
  return { source: finiteAnswers(train.map(groupOf), seed), heldOut: heldout.map(groupOf) };
}

function promptSource(
  tokenizer: Tokenizer,
  dialogues: readonly Pick<PromptRecord, 'messages'>[],
  seed: number,
): PromptSource {
  const prompts = dialogues.map(({ messages }) =>
    applyChatTemplate(tokenizer, messages, { addGenerationPrompt: true }),
  );
  const orders = new Map<number, EpochOrder<readonly number[]>>();
  const orderOf = (longest: number): EpochOrder<readonly number[]> => {
    const known = orders.get(longest);
    if (known) return known;
    const fitting = prompts.filter(({ length }) => length <= longest);
    if (fitting.length === 0) {
      throw invalidInput(`prompts: none of ${prompts.length} leaves room for an answer within ${longest} tokens`, {
        at: 'prompts',
      });
    }
    const order = new EpochOrder(fitting, Random.seeded(seed).fork('prompts'));
    orders.set(longest, order);
    return order;
  };
  return (iteration, count, longest) => orderOf(longest).slice(iteration * count, count);
}

/** Held-out questions, answered greedily and compared with the reference. */
async function evaluateOn(
  dialogues: readonly InstructionRecord[],
  engine: GenerationEngine,
  tokenizer: Tokenizer,
  { count, signal }: EvaluateOptions,
): Promise<ChatFigures> {
  const context = engine.model!.config.maxPositions;
  const questions = dialogues
    .map(({ messages, response }) => ({
      prompt: applyChatTemplate(tokenizer, messages, { addGenerationPrompt: true }),
      reference: response,
    }))
    .filter(({ prompt }) => prompt.length + longestAnswer <= context)
    .slice(0, count);
  const answers = await engine.generateAll(
    questions.map(({ prompt }) => ({
      prompt,
      maxTokens: longestAnswer,
      stopTokens: [answerEnd(tokenizer)],
      sampling: { temperature: 0 },
      ...(signal && { signal }),
    })),
  );
  const scores = answers.map(({ tokens }, i) => {
    const text = tokenizer.decode(
      tokens.map(({ id }) => id),
      { skipSpecialTokens: true },
    );
    return answerScores(text, questions[i]!.reference);
  });
  const mean = (value: (score: { exact: number; f1: number }) => number): number =>
    scores.reduce((sum, score) => sum + value(score), 0) / Math.max(1, scores.length);
  return { exact: mean(({ exact }) => exact), score: mean(({ f1 }) => f1), tasks: {} };
}
