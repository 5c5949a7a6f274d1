/** Questions with their answers, to fine-tune on: the shapes of row that public data sets have. */
import type { ChatMessage } from '@crucible/tokenizer';
import type { ReadRowsOptions, RecordStream, Row } from './record-stream.ts';
import { createRecordStream } from './record-stream.ts';
import {
  answerFrom,
  field,
  hasField,
  messagesSchema,
  questionFrom,
  splitAnswer,
  textSchema,
  unknownShape,
  userMessage,
} from './row-fields.ts';
import { z } from 'zod';

export interface InstructionRecord {
  /** Up to the answer. */
  readonly messages: readonly ChatMessage[];
  /** What the assistant answers. */
  readonly response: string;
  /** FILE:LINE */
  readonly at: string;
}

/**
 * Reads .jsonl or .jsonl.gz with rows of any of these shapes; other fields are passed over:
 * - {messages: [{role, content}, …]}, the last one the assistant's
 * - {prompt, completion}
 * - {instruction, input?, output}
 * - {question, answer}
 *
 * A literal `<|endoftext|>` at the end of an answer is taken off. Empty questions and answers break the rules.
 */
export function readInstructions(path: string, options: ReadRowsOptions = {}): RecordStream<InstructionRecord> {
  return createRecordStream(path, () => ({ parse: (row, at) => [{ ...parseInstruction(row, at), at }] }), options);
}

const instructionShapes = 'messages, prompt and completion, instruction and output (and input), or question and answer';

function parseInstruction(row: Row, at: string): Omit<InstructionRecord, 'at'> {
  if (hasField(row, 'messages')) return splitAnswer(field(row, 'messages', messagesSchema, at), at, 'messages');
  for (const [question, answer] of [
    ['prompt', 'completion'],
    ['question', 'answer'],
  ] as const) {
    if (hasField(row, question))
      return { messages: questionFrom(row, question, at), response: answerOf(row, answer, at) };
  }
  if (hasField(row, 'instruction'))
    return { messages: [instructionMessage(row, at)], response: answerOf(row, 'output', at) };
  throw unknownShape(row, at, instructionShapes);
}

/** The instruction and, after a blank line, its input if there is one. */
export function instructionMessage(row: Row, at: string): ChatMessage {
  const instruction = field(row, 'instruction', textSchema, at);
  const input = hasField(row, 'input') ? field(row, 'input', z.string('is not a text'), at) : '';
  return userMessage(input.trim() === '' ? instruction : `${instruction}\n\n${input}`);
}

function answerOf(row: Row, name: string, at: string): string {
  return answerFrom(field(row, name, textSchema, at), at, name);
}
