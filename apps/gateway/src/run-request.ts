/** The fields of a chat request that make it a run of a strategy. What they may hold beside their shape is the actor's to say. */
import type { RunSpec } from '@crucible/actor';
import { invalidInput } from '@crucible/foundation';
import { strategyNames } from '@crucible/prompting';
import { z } from 'zod';
import { wholeNumber } from './body-schema.ts';
import type { ChatRequest } from './chat-request.ts';

const text = z.string('a string');
const someText = text.min(1, 'a string that is not empty');
const names = z.array(someText, 'a list of strings').max(1000, 'at most 1000').optional();
const strategies = z.enum(strategyNames, `one of ${strategyNames.join(', ')}`);
const kinds = ['text', 'number', 'yes-no', 'date', 'choice'] as const;
const idAllowed = '1 to 47 of the characters a-z, A-Z, 0-9, `-`, `_` and `.`, the first a letter or digit,';

export const crucibleSchema = z.strictObject(
  {
    strategy: strategies.optional(),
    collection: someText.optional(),
    documents: names,
    tools: names,
    answer: z
      .strictObject(
        {
          kind: z.enum(kinds, `one of ${kinds.join(', ')}`),
          choices: z.array(someText).min(2).max(26).optional(),
        },
        'an object of kind, and choices,',
      )
      .optional(),
    examples: z
      .array(
        z.strictObject(
          { question: text, answer: text, reasoning: text.optional(), program: text.optional() },
          'an object of question, answer, reasoning and program',
        ),
        'a list of examples',
      )
      .optional(),
    samples: wholeNumber(1, 64).optional(),
    /** Of react, until an answer is demanded. */
    actions: wholeNumber(1, 1000).optional(),
    limits: z
      .strictObject(
        {
          time_ms: wholeNumber(1, 4_294_967_295).optional(),
          steps: wholeNumber(1, 4_294_967_295).optional(),
          tokens: wholeNumber(1, 4_294_967_295).optional(),
        },
        'an object',
      )
      .optional(),
    trace: z.boolean('true or false').optional(),
    /** Of pages, with every use of the browser. */
    pictures: z.boolean('true or false').optional(),
    run_id: z
      .string(idAllowed)
      .regex(/^[a-z0-9][\w.-]{0,46}$/i, idAllowed)
      .optional(),
  },
  'an object',
);

export type CrucibleFields = z.infer<typeof crucibleSchema>;

/** How a run is asked for: its model and strategy, and what the caller wants to see. */
export interface RunFields {
  readonly strategy: string;
  readonly fields: CrucibleFields;
  /** Undefined: that of the strategy. */
  readonly temperature: number | undefined;
}

/** `crucible/react` is the strategy `react` before the model `crucible`. */
export function splitModel(name: string): { readonly model: string; readonly strategy: string | undefined } {
  const at = name.lastIndexOf('/');
  const strategy = name.slice(at + 1);
  return at > 0 && (strategyNames as readonly string[]).includes(strategy)
    ? { model: name.slice(0, at), strategy }
    : { model: name, strategy: undefined };
}

/** Undefined: an ordinary chat. */
export function runFields(
  named: string | undefined,
  fields: CrucibleFields | null | undefined,
  temperature: number | null | undefined,
): RunFields | undefined {
  if (named === undefined && fields == null) return undefined;
  const strategy = named ?? fields?.strategy;
  if (strategy === undefined) {
    throw invalidInput(
      `crucible.strategy: it is missing; one of ${strategyNames.join(', ')} is allowed, or a model as crucible/rag`,
      { at: 'crucible.strategy' },
    );
  }
  if (fields?.strategy !== undefined && fields.strategy !== strategy) {
    throw invalidInput(`crucible.strategy: ${fields.strategy} is given, and the model names ${strategy}`, {
      at: 'crucible.strategy',
    });
  }
  return { strategy, fields: fields ?? {}, temperature: temperature ?? undefined };
}

/** `runId`: as the actor is to know it. */
export function runSpecOf(request: ChatRequest, { strategy, fields, temperature }: RunFields, runId: string): RunSpec {
  const { collection, documents, tools, answer, examples, samples, actions, limits, pictures } = fields;
  const { system, history, question } = conversationOf(request.messages);
  if ((answer?.kind === 'choice') !== (answer?.choices !== undefined)) {
    throw invalidInput('crucible.answer.choices: they are needed for the kind choice, and for no other', {
      at: 'crucible.answer.choices',
    });
  }
  if (strategy === 'rag' && collection === undefined && documents === undefined) {
    throw invalidInput('crucible.collection: rag searches a collection, and none is named', {
      at: 'crucible.collection',
    });
  }
  return {
    runId,
    strategy,
    model: request.model,
    question,
    history,
    ...(system !== '' && { system }),
    ...(answer && {
      answer: answer.kind === 'choice' ? { kind: 'choice', choices: answer.choices ?? [] } : { kind: answer.kind },
    }),
    ...(examples && {
      examples: examples.map(({ question, answer, reasoning, program }) => ({
        question,
        answer,
        ...(reasoning !== undefined && { reasoning }),
        ...(program !== undefined && { program }),
      })),
    }),
    ...((collection !== undefined || documents !== undefined) && {
      knowledge: { collection: collection ?? '', ...(documents && { documents }) },
    }),
    ...(tools && { tools }),
    sampling: {
      ...(temperature !== undefined && { temperature }),
      ...(request.topP !== 1 && { topP: request.topP }),
      ...(request.seed !== undefined && { seed: request.seed }),
      ...(request.maxTokens !== undefined && { maxTokens: request.maxTokens }),
    },
    ...(samples !== undefined && { samples }),
    ...(pictures !== undefined && { pictures }),
    ...(actions !== undefined && { react: { maxSteps: actions } }),
    ...(limits && {
      limits: {
        ...(limits.time_ms !== undefined && { timeMs: limits.time_ms }),
        ...(limits.steps !== undefined && { steps: limits.steps }),
        ...(limits.tokens !== undefined && { tokens: limits.tokens }),
      },
    }),
  };
}

/** The last message is the question; what instructs at the beginning goes before everything that a strategy adds. */
function conversationOf(messages: ChatRequest['messages']): Required<Pick<RunSpec, 'system' | 'history' | 'question'>> {
  const last = messages.at(-1)!;
  if (last.role !== 'user') {
    const at = `messages[${messages.length - 1}].role`;
    throw invalidInput(`${at}: "${last.role}" is given; a strategy answers a last message of the role user`, { at });
  }
  const firstOther = messages.findIndex(({ role }) => role !== 'system');
  return {
    system: messages
      .slice(0, firstOther)
      .map(({ content }) => content)
      .join('\n\n'),
    history: messages.slice(firstOther, -1),
    question: last.content,
  };
}
