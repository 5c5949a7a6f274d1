/** Questions without answers, for reinforcement learning: out of rows of any shape that the other readers take. */
import type { ChatMessage } from '@crucible/tokenizer';
import { parseHhDialogue } from './hh-dialogue.ts';
import { instructionMessage } from './instructions.ts';
import { promptName } from './preferences.ts';
import type { ReadRowsOptions, RecordStream, Row } from './record-stream.ts';
import { createRecordStream } from './record-stream.ts';
import { field, hasField, invalidField, messagesSchema, questionFrom, textSchema, unknownShape } from './row-fields.ts';

export interface PromptRecord {
  /** The last one is not the assistant's. */
  readonly messages: readonly ChatMessage[];
  /** FILE:LINE */
  readonly at: string;
}

/**
 * Reads .jsonl or .jsonl.gz with rows that have messages, prompt, question, instruction (and input) or chosen; whatever
 * answers them is passed over.
 */
export function readPrompts(path: string, options: ReadRowsOptions = {}): RecordStream<PromptRecord> {
  return createRecordStream(path, () => ({ parse: (row, at) => [{ messages: parsePrompt(row, at), at }] }), options);
}

function parsePrompt(row: Row, at: string): ChatMessage[] {
  if (hasField(row, 'messages')) return withoutAnswer(field(row, 'messages', messagesSchema, at), at, 'messages');
  const prompt = promptName(row);
  if (prompt !== undefined) return withoutAnswer(questionFrom(row, prompt, at), at, prompt);
  if (hasField(row, 'instruction')) return [instructionMessage(row, at)];
  if (!hasField(row, 'chosen')) throw unknownShape(row, at, 'messages, prompt, question, instruction or chosen');
  const messages = Array.isArray(row['chosen'])
    ? field(row, 'chosen', messagesSchema, at)
    : parseHhDialogue(field(row, 'chosen', textSchema, at), at, 'chosen');
  return withoutAnswer(messages, at, 'chosen');
}

function withoutAnswer(messages: ChatMessage[], at: string, name: string): ChatMessage[] {
  if (messages.at(-1)!.role !== 'assistant') return messages;
  if (messages.length === 1) throw invalidField(at, name, 'has an answer and nothing that it answers');
  return messages.slice(0, -1);
}
