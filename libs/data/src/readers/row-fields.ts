/** The fields that rows are made of, and how they are checked. */
import { invalidInput } from '@crucible/foundation';
import type { ChatMessage } from '@crucible/tokenizer';
import { chatRoles, endOfTextToken } from '@crucible/tokenizer';
import { z } from 'zod';
import type { Row } from './record-stream.ts';

/** An error about one field of one row. */
export function invalidField(at: string, field: string, problem: string): Error {
  return invalidInput(`${at}: ${field}: ${problem}`, { at });
}

/** Error messages for a schema: what is missing is said to be missing. */
function expected(what: string): { error: (issue: { readonly input?: unknown }) => string } {
  return { error: ({ input }) => (input === undefined ? `is missing; ${what} is needed` : `is not ${what}`) };
}

export const textSchema = z.string(expected('a text')).refine((text) => text.trim() !== '', 'is empty');

export const scoreSchema = z.number(expected('a number'));

const messageSchema = z.object(
  {
    role: z.enum(chatRoles, {
      error: ({ input }) => `${JSON.stringify(input)} is not a role; roles are ${chatRoles.join(', ')}`,
    }),
    content: textSchema,
  },
  expected('a message {role, content}'),
);

export const messagesSchema = z.array(messageSchema, expected('a list of messages')).min(1, 'has no messages');

/** A field of a row, checked. */
export function field<T>(row: Row, name: string, schema: z.ZodType<T>, at: string): T {
  const result = schema.safeParse(row[name]);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue!.path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  throw invalidField(at, name + path, issue!.message);
}

/** An answer: without the literal end-of-text tokens that some data sets put behind it, and not empty. */
export function answerFrom(text: string, at: string, name: string): string {
  let answer = text.trimEnd();
  while (answer.endsWith(endOfTextToken)) answer = answer.slice(0, -endOfTextToken.length).trimEnd();
  if (answer.trim() === '') throw invalidField(at, name, 'is empty');
  return answer;
}

/** A conversation that ends with an answer, cut before that answer. */
export function splitAnswer(
  messages: readonly ChatMessage[],
  at: string,
  name: string,
): { readonly messages: ChatMessage[]; readonly response: string } {
  const last = messages.at(-1)!;
  if (last.role !== 'assistant')
    throw invalidField(at, name, `ends with ${last.role}; the last message must be the assistant's`);
  if (messages.length === 1) throw invalidField(at, name, 'has an answer and nothing that it answers');
  return {
    messages: messages.slice(0, -1),
    response: answerFrom(last.content, at, `${name}[${messages.length - 1}].content`),
  };
}

/** A question of the user's, as text or as messages. */
export function questionFrom(row: Row, name: string, at: string): ChatMessage[] {
  if (Array.isArray(row[name])) return field(row, name, messagesSchema, at);
  return [userMessage(field(row, name, textSchema, at))];
}

export function userMessage(content: string): ChatMessage {
  return { role: 'user', content };
}

export function hasField(row: Row, name: string): boolean {
  return row[name] !== undefined && row[name] !== null;
}

/** An error for a row of no known shape. */
export function unknownShape(row: Row, at: string, allowed: string): Error {
  const fields = Object.keys(row).map((name) => JSON.stringify(name));
  return invalidInput(`${at}: has the fields ${fields.join(', ') || '(none)'}; allowed are ${allowed}`, { at });
}
