/** Answers that people, or a verifier, have compared or graded: what a reward model learns from. */
import type { ChatMessage } from '@crucible/tokenizer';
import { z } from 'zod';
import { parseHhDialogue } from './hh-dialogue.ts';
import type { ReadRowsOptions, RecordStream, Row, RowParser } from './record-stream.ts';
import { createRecordStream } from './record-stream.ts';
import {
  answerFrom,
  field,
  hasField,
  invalidField,
  messagesSchema,
  questionFrom,
  scoreSchema,
  splitAnswer,
  textSchema,
  unknownShape,
} from './row-fields.ts';

export type PreferenceRecord = PreferencePair | GradedRecord;

/** One answer is better than another. */
export interface PreferencePair {
  readonly kind: 'pair';
  /** Up to the answer. */
  readonly messages: readonly ChatMessage[];
  readonly chosen: string;
  readonly rejected: string;
  /** FILE:LINE */
  readonly at: string;
}

/** Two or more different answers, not all of the same score. */
export interface GradedRecord {
  readonly kind: 'graded';
  readonly messages: readonly ChatMessage[];
  readonly answers: readonly ScoredAnswer[];
  /** FILE:LINE of the row, or of the first row of the question. */
  readonly at: string;
}

export interface ScoredAnswer {
  readonly text: string;
  /** On any scale; higher is better. */
  readonly score: number;
}

/**
 * Reads .jsonl or .jsonl.gz with rows of any of these shapes; other fields are passed over, `question` does for `prompt`:
 * - {prompt, chosen, rejected}: texts or lists of messages
 * - {chosen, rejected}: whole dialogues, as texts in the style of HH-RLHF or as lists of messages; what they have in
 *   common is the prompt, and only the last answers may differ
 * - {prompt, answers: [{text, score}, …]}
 * - {prompt, answer, score}: rows of the same prompt make one record. These are kept in memory and come last.
 */
export function readPreferences(path: string, options: ReadRowsOptions = {}): RecordStream<PreferenceRecord> {
  return createRecordStream(path, createPreferenceParser, options);
}

const preferenceShapes =
  'prompt, chosen and rejected; chosen and rejected; prompt and answers; or prompt, answer and score (question does for prompt)';

function createPreferenceParser(): RowParser<PreferenceRecord> {
  const groups = new Map<string, { messages: ChatMessage[]; answers: ScoredAnswer[]; at: string }>();
  return {
    parse(row, at) {
      if (hasField(row, 'chosen') || hasField(row, 'rejected')) return [parsePair(row, at)];
      const prompt = promptName(row);
      if (prompt === undefined) throw unknownShape(row, at, preferenceShapes);
      const messages = questionFrom(row, prompt, at);
      if (hasField(row, 'answers')) {
        const answers = field(row, 'answers', answersSchema, at);
        return [{ kind: 'graded', messages, answers: comparable(answers, at), at }];
      }
      if (!hasField(row, 'answer')) throw unknownShape(row, at, preferenceShapes);
      const answer = {
        text: answerFrom(field(row, 'answer', textSchema, at), at, 'answer'),
        score: field(row, 'score', scoreSchema, at),
      };
      const key = JSON.stringify(messages);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { messages, answers: [answer], at });
      else group.answers.push(answer);
      return [];
    },
    *finish() {
      for (const { messages, answers, at } of groups.values()) {
        yield () => ({ kind: 'graded', messages, answers: comparable(answers, at), at });
      }
    },
  };
}

const answersSchema = z.array(
  z.object({ text: textSchema, score: scoreSchema }, 'is not {text, score}'),
  'is not a list of answers',
);

/** Which field holds the prompt. */
export function promptName(row: Row): 'prompt' | 'question' | undefined {
  return (['prompt', 'question'] as const).find((name) => hasField(row, name));
}

function parsePair(row: Row, at: string): PreferencePair {
  const prompt = promptName(row);
  const chosen = dialogueFrom(row, 'chosen', prompt, at);
  const rejected = dialogueFrom(row, 'rejected', prompt, at);
  if (JSON.stringify(chosen.messages) !== JSON.stringify(rejected.messages)) {
    throw invalidField(at, 'rejected', 'differs from chosen before the last answer; the prompt must be the same');
  }
  if (chosen.response === rejected.response) throw invalidField(at, 'rejected', 'is the same answer as chosen');
  return { kind: 'pair', messages: chosen.messages, chosen: chosen.response, rejected: rejected.response, at };
}

type Dialogue = ReturnType<typeof splitAnswer>;

function dialogueFrom(
  row: Row,
  name: 'chosen' | 'rejected',
  prompt: 'prompt' | 'question' | undefined,
  at: string,
): Dialogue {
  if (prompt === undefined) return wholeDialogue(row, name, at);
  const messages = questionFrom(row, prompt, at);
  if (!Array.isArray(row[name])) return { messages, response: answerFrom(field(row, name, textSchema, at), at, name) };
  // The answer alone, or the prompt once more and the answer.
  const given = field(row, name, messagesSchema, at);
  const isWhole = JSON.stringify(given.slice(0, -1)) === JSON.stringify(messages);
  if (given.length > 1 && !isWhole) throw invalidField(at, name, `does not begin with the messages of ${prompt}`);
  return splitAnswer([...messages, given.at(-1)!], at, name);
}

function wholeDialogue(row: Row, name: 'chosen' | 'rejected', at: string): Dialogue {
  const messages = Array.isArray(row[name])
    ? field(row, name, messagesSchema, at)
    : parseHhDialogue(field(row, name, textSchema, at), at, name);
  return splitAnswer(messages, at, name);
}

/** Throws unless there are two answers at least, all of them different, and two different scores. */
function comparable(given: readonly ScoredAnswer[], at: string): ScoredAnswer[] {
  const answers = given.map(({ text, score }, i) => ({ text: answerFrom(text, at, `answers[${i}].text`), score }));
  if (answers.length < 2) throw invalidField(at, 'answers', `has ${answers.length}; two or more are needed to compare`);
  for (const [i, { text }] of answers.entries()) {
    const first = answers.findIndex((answer) => answer.text === text);
    if (first < i) throw invalidField(at, `answers[${i}].text`, `is the same as answers[${first}].text`);
  }
  if (answers.every(({ score }) => score === answers[0]!.score)) {
    throw invalidField(
      at,
      'answers',
      `all have the score ${answers[0]!.score}; two different ones are needed to compare`,
    );
  }
  return answers;
}
