/** Whom a question goes to, and how; side by side there are two of these. */
import type { ChatBody } from '../api/chat.ts';
import { newestModel } from '../api/models.ts';
import { plainChat, wayOf } from './ways.ts';

export interface LaneOptions {
  readonly system: string;
  /** '': as the server has it. So are all that are numbers. */
  readonly temperature: string;
  readonly maxTokens: string;
  /** Send what was said before, too. Undefined: in plain chat. */
  readonly withHistory: boolean | undefined;
  readonly answerKind: AnswerKind;
  /** One a line, for the answer kind `choice`. */
  readonly choices: string;
  /** JSON Lines. */
  readonly examples: string;
  readonly samples: string;
  /** Names, with commas or blanks between; '': as suits the strategy. */
  readonly tools: string;
  /** Of pages, with every use of the browser. */
  readonly pictures: boolean;
  /** Of react, until an answer is demanded. */
  readonly mostActions: string;
  readonly mostSteps: string;
  readonly mostSeconds: string;
  readonly mostTokens: string;
}

export const answerKinds = ['text', 'number', 'yes-no', 'date', 'choice'] as const;

export type AnswerKind = (typeof answerKinds)[number];

export interface Lane {
  readonly model: string;
  /** Name of a strategy; '': plain chat. */
  readonly way: string;
  /** '': none. */
  readonly collection: string;
  /** Only these of the collection; none: all. */
  readonly documents: readonly string[];
  readonly options: LaneOptions;
}

export const defaultOptions: LaneOptions = {
  system: '',
  temperature: '',
  maxTokens: '',
  withHistory: undefined,
  answerKind: 'text',
  choices: '',
  examples: '',
  samples: '',
  tools: '',
  pictures: false,
  mostActions: '',
  mostSteps: '',
  mostSeconds: '',
  mostTokens: '',
};

export const defaultLane: Lane = {
  model: newestModel,
  way: plainChat.name,
  collection: '',
  documents: [],
  options: defaultOptions,
};

export interface Said {
  readonly question: string;
  readonly answer: string;
}

/** What is sent for a question. Throws an Error with a message for the user where an option is wrong. */
export function bodyFrom(lane: Lane, history: readonly Said[], question: string): ChatBody {
  const { model, way: name, collection, documents, options } = lane;
  const way = wayOf(name);
  const isPlain = name === plainChat.name;
  const before = (options.withHistory ?? isPlain) ? history : [];
  const temperature = numberFrom(options.temperature, 'Temperature', 0, 2);
  const maxTokens = wholeFrom(options.maxTokens, 'Tokens of an answer', 1, 1_000_000);
  const system = options.system.trim();
  return {
    model,
    messages: [
      ...(system === '' ? [] : [{ role: 'system' as const, content: system }]),
      ...before.flatMap(({ question: asked, answer }) => [
        { role: 'user' as const, content: asked },
        { role: 'assistant' as const, content: answer },
      ]),
      { role: 'user', content: question },
    ],
    ...(temperature !== undefined && { temperature }),
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
    ...(!isPlain && { crucible: extension() }),
  };

  function extension(): Record<string, unknown> {
    const samples = way.takesSamples ? wholeFrom(options.samples, 'Samples', 1, 64) : undefined;
    const examples = way.takesExamples ? examplesFrom(options.examples) : [];
    const tools = way.takesTools ? options.tools.split(/[\s,]+/).filter((each) => each !== '') : [];
    const actions = way.takesTools ? wholeFrom(options.mostActions, 'Most actions', 1, 1000) : undefined;
    const limits = limitsFrom(options);
    const searches = way.searches !== 'never' && collection !== '';
    return {
      strategy: name,
      ...(searches && { collection }),
      ...(searches && documents.length > 0 && { documents }),
      ...(options.answerKind !== 'text' && { answer: answerFrom(options) }),
      ...(examples.length > 0 && { examples }),
      ...(samples !== undefined && { samples }),
      ...(tools.length > 0 && { tools }),
      ...(way.takesTools && options.pictures && { pictures: true }),
      ...(actions !== undefined && { actions }),
      ...(Object.keys(limits).length > 0 && { limits }),
    };
  }
}

function answerFrom({ answerKind: kind, choices }: LaneOptions): Record<string, unknown> {
  if (kind !== 'choice') return { kind };
  const given = choices
    .split('\n')
    .map((each) => each.trim())
    .filter((each) => each !== '');
  if (given.length < 2) throw new Error('Choices: at least two are needed, one a line.');
  return { kind, choices: given };
}

function limitsFrom({ mostSteps, mostSeconds, mostTokens }: LaneOptions): Record<string, number> {
  const steps = wholeFrom(mostSteps, 'Most steps', 1, 100_000);
  const seconds = numberFrom(mostSeconds, 'Most seconds', 0.1, 86_400);
  const tokens = wholeFrom(mostTokens, 'Most tokens', 1, 1_000_000_000);
  return {
    ...(steps !== undefined && { steps }),
    ...(seconds !== undefined && { time_ms: Math.round(1000 * seconds) }),
    ...(tokens !== undefined && { tokens }),
  };
}

const exampleFields = ['question', 'answer', 'reasoning', 'program'] as const;

function examplesFrom(text: string): Record<string, string>[] {
  return text.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return [];
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw new Error(
        `Examples, line ${i + 1}: this is no JSON. {"question": "…", "answer": "…"} is wanted, one a line.`,
      );
    }
    const fields = value as Record<string, unknown> | null;
    const given = exampleFields.flatMap((name): [string, string][] => {
      const field = fields?.[name];
      return field === undefined ? [] : [[name, typeof field === 'string' ? field : JSON.stringify(field)]];
    });
    const example = Object.fromEntries(given);
    if (!example['question'] || !example['answer'])
      throw new Error(`Examples, line ${i + 1}: a question and an answer are needed.`);
    return [example];
  });
}

function numberFrom(text: string, name: string, low: number, high: number): number | undefined {
  if (text.trim() === '') return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || value < low || value > high)
    throw new Error(`${name}: a number from ${low} to ${high} is allowed.`);
  return value;
}

function wholeFrom(text: string, name: string, low: number, high: number): number | undefined {
  const value = numberFrom(text, name, low, high);
  if (value !== undefined && !Number.isInteger(value))
    throw new Error(`${name}: a whole number from ${low} to ${high} is allowed.`);
  return value;
}

/** Choices that a link carries; of the second lane with a 2 behind the names. */
export function queryFrom(lanes: readonly Lane[]): Record<string, string | undefined> {
  return Object.fromEntries(
    lanes.flatMap(({ model, way, collection, documents }, i) => {
      const end = i === 0 ? '' : String(i + 1);
      return [
        // The second lane is there because its model is named.
        [`model${end}`, i === 0 && model === newestModel ? undefined : model],
        [`ask${end}`, way],
        [`collection${end}`, collection],
        [`document${end}`, documents[0]],
      ];
    }),
  );
}

export function lanesFrom(query: Readonly<Record<string, string>>, before: readonly Lane[]): readonly Lane[] {
  const lane = (i: number): Lane => {
    const end = i === 0 ? '' : String(i + 1);
    const document = query[`document${end}`];
    return {
      ...(before[i] ?? { ...defaultLane, options: before[0]?.options ?? defaultOptions }),
      model: query[`model${end}`] ?? newestModel,
      way: query[`ask${end}`] ?? plainChat.name,
      collection: query[`collection${end}`] ?? '',
      documents: document === undefined ? [] : [document],
    };
  };
  return query['model2'] === undefined ? [lane(0)] : [lane(0), lane(1)];
}
