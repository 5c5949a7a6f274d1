/** What a strategy works with while it runs: its task, what it may use, and the ways to use it within the limits. */
import { CrucibleError, invalidInput, Random } from '@crucible/foundation';
import type { AnswerKind } from './answers/task-answer.ts';
import { type Budget, LimitReached } from './budget.ts';
import {
  type ChatMessage,
  type ChatModel,
  countPromptTokens,
  estimateTokens,
  type ToolCall,
  type ToolDescription,
  type TokenUsage,
} from './chat-model.ts';
import type { CodeResult, CodeRunner } from './code-runner.ts';
import type { Embedder, Passage, Retriever, SearchOptions } from './retriever.ts';
import type { Outcome, Step, StepBody } from './step.ts';
import { StopMatcher } from './stop-matcher.ts';
import { type Tool, Toolbox, type ToolResult } from './tool.ts';
import { itemsUntilAborted, untilAborted } from './until-aborted.ts';

export interface Task {
  readonly question: string;
  /** Default: text. */
  readonly answer?: AnswerKind;
  /** Instructions that go before everything else. */
  readonly system?: string;
  /** What was said before, oldest first. */
  readonly history?: readonly ChatMessage[];
}

/** How answers are drawn. */
export interface Sampling {
  /** 0 to 2. Default 0: the likeliest. */
  readonly temperature?: number;
  readonly topP?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Of one answer. Default 512; less where the context is short. */
  readonly maxTokens?: number;
}

export interface Services {
  readonly model: ChatModel;
  readonly retriever?: Retriever;
  readonly code?: CodeRunner;
  /** Tools for one run of a strategy: those that remember something are made anew by every call. */
  readonly tools?: () => readonly Tool[];
  readonly embedder?: Embedder;
}

/** A step as a strategy yields it: who it belongs to is added on the way out. */
export type Draft = StepBody & Partial<Pick<Step, 'strategy' | 'sample'>>;

export type StepStream<T = Outcome> = AsyncGenerator<Draft, T, undefined>;

export interface Question {
  /** For the trace: what is asked for. */
  readonly purpose: string;
  readonly messages: readonly ChatMessage[];
  readonly stops?: readonly string[];
  readonly tools?: readonly ToolDescription[];
  /** Default 1. */
  readonly samples?: number;
  /** Default: that of the sampling. */
  readonly maxTokens?: number;
}

export interface Completion {
  /** Without the thoughts that some models write in <think> before their answer. */
  readonly text: string;
  readonly finish: 'stop' | 'length' | 'tool-calls' | 'refused';
  readonly toolCalls: readonly ToolCall[];
}

export interface RunInit {
  readonly task: Task;
  readonly services: Services;
  readonly sampling: Sampling;
  readonly budget: Budget;
  readonly signal: AbortSignal;
}

const defaultMaxTokens = 512;

/** At most this share of the context is kept free for the answer when nothing else is said. */
const answerShare = 1 / 3;

/** A token of more characters on average is no text: the model did not stop where it was told to. */
const mostCharactersPerToken = 16;

export class Run {
  readonly task: Task;
  readonly answerKind: AnswerKind;
  readonly model: ChatModel;
  readonly sampling: Sampling;
  readonly signal: AbortSignal;
  /** What the answer is if the run ends now; strategies set it when they know something. */
  partial: Outcome | undefined;
  readonly #services: Services;
  readonly #budget: Budget;

  constructor(init: RunInit) {
    this.task = init.task;
    this.answerKind = init.task.answer ?? { kind: 'text' };
    this.model = init.services.model;
    this.sampling = init.sampling;
    this.signal = init.signal;
    this.#services = init.services;
    this.#budget = init.budget;
  }

  /** One of several samples: the same task and budget, and random numbers of its own. */
  fork(index: number, sampling: Sampling): Run {
    const seed = Random.seeded(sampling.seed ?? 0)
      .fork(`sample ${index}`)
      .uint32();
    return new Run({ ...this.#init(), sampling: { ...sampling, seed } });
  }

  /** Tools that nobody else has used. */
  openToolbox(): Toolbox {
    return new Toolbox(this.#services.tools?.() ?? []);
  }

  get embedder(): Embedder | undefined {
    return this.#services.embedder;
  }

  /** The most tokens of an answer. */
  get maxTokens(): number {
    const { contextTokens = Infinity } = this.model;
    return this.sampling.maxTokens ?? Math.min(defaultMaxTokens, Math.floor(contextTokens * answerShare));
  }

  /** Tokens that a prompt may have; Infinity where the context is not known. */
  get promptRoom(): number {
    return (this.model.contextTokens ?? Infinity) - this.maxTokens;
  }

  countTokens(messages: readonly ChatMessage[]): number {
    return countPromptTokens(this.model, messages);
  }

  /** Instructions and what was said before, then `messages`. `instructions` go into the system message. */
  conversation(instructions: string | undefined, messages: readonly ChatMessage[]): ChatMessage[] {
    const system = [this.task.system, instructions].filter((part) => part !== undefined && part !== '').join('\n\n');
    return [
      ...(system === '' ? [] : [{ role: 'system' as const, content: system }]),
      ...(this.task.history ?? []),
      ...messages,
    ];
  }

  async *ask(question: Question): StepStream<Completion> {
    const [completion] = yield* this.askForSeveral(question);
    return completion!;
  }

  async *askForSeveral(question: Question): StepStream<Completion[]> {
    const { purpose, messages, stops = [], samples = 1, tools } = question;
    const promptTokens = this.countTokens(messages);
    const { contextTokens = Infinity } = this.model;
    const tokensLeft = this.#budget.tokensLeft - promptTokens;
    if (promptTokens >= contextTokens) throw new LimitReached('context');
    const maxTokens = Math.min(
      question.maxTokens ?? this.maxTokens,
      contextTokens - promptTokens,
      Math.floor(tokensLeft / samples),
    );
    if (maxTokens < 1) throw new LimitReached('tokens');
    this.signal.throwIfAborted();
    const call = this.#budget.takeCall();
    yield { kind: 'prompt', call, purpose, messages, maxTokens };

    const { temperature = 0, topP, seed = 0 } = this.sampling;
    const answers = Array.from(
      { length: samples },
      () => new AnswerInProgress(stops, maxTokens * mostCharactersPerToken),
    );
    let usage: TokenUsage | undefined;
    try {
      const events = this.model.generate({
        messages,
        maxTokens,
        temperature,
        seed,
        stops,
        signal: this.signal,
        ...(topP !== undefined && { topP }),
        ...(samples > 1 && { samples }),
        ...(tools && { tools }),
      });
      for await (const event of itemsUntilAborted(events, this.signal)) {
        if (event.kind === 'usage') {
          usage = event.usage;
          continue;
        }
        const answer = answers[event.sample];
        if (answer === undefined)
          throw new CrucibleError('internal', `${this.model.name}: an answer came that nobody asked for`);
        const text = event.kind === 'text' ? answer.push(event.text) : answer.end(event.finish, event.toolCalls);
        if (text !== '') yield { kind: 'text', call, answer: event.sample, text };
        // Servers that do not know our stop strings, and models that do not stop, go on without us.
        if (event.kind === 'text' && answers.every((each) => each.isOver)) break;
      }
    } catch (reason) {
      for (const [answer, { text }] of answers.entries())
        yield { kind: 'completion', call, answer, text, finish: 'cut' };
      this.partial ??= brokenOff(answers);
      throw reason;
    } finally {
      const written = answers.reduce(
        (sum, { text, toolCalls }) =>
          sum + estimateTokens(text + JSON.stringify(toolCalls), this.model.bytesPerToken) - 1,
        0,
      );
      this.#budget.spend(usage ?? { promptTokens, completionTokens: written }, usage === undefined);
    }
    for (const [index, answer] of answers.entries()) {
      const { text, finish = 'stop', toolCalls } = answer;
      yield { kind: 'completion', call, answer: index, text, finish, ...(toolCalls.length > 0 && { toolCalls }) };
    }
    return answers.map(({ text, finish = 'stop', toolCalls }) => ({ text: withoutThinking(text), finish, toolCalls }));
  }

  async *search(query: string, options: Omit<SearchOptions, 'signal'>): StepStream<readonly Passage[]> {
    const { retriever } = this.#services;
    if (!retriever) throw missing('a retriever');
    this.#budget.takeStep();
    const passages = await untilAborted(retriever.search(query, { ...options, signal: this.signal }), this.signal);
    yield { kind: 'passages', query, passages };
    return passages;
  }

  async runProgram(program: string, timeoutMs: number): Promise<CodeResult> {
    const { code } = this.#services;
    if (!code) throw missing('something that runs programs');
    this.#budget.takeStep();
    return untilAborted(code.run(program, { timeoutMs, signal: this.signal }), this.signal);
  }

  /** What a tool answers; what it throws is an answer too, except when the run is at its end. */
  async useTool(
    tool: Tool,
    input: Readonly<Record<string, unknown>>,
  ): Promise<ToolResult & { readonly failed: boolean }> {
    this.#budget.takeStep();
    try {
      const { text, passages, pictures } = await untilAborted(tool.run(input, { signal: this.signal }), this.signal);
      // Tools may be anybody's: nonsense is an answer like any other.
      return {
        text: typeof text === 'string' ? text : JSON.stringify({ text }),
        failed: false,
        ...(passages && { passages }),
        ...(pictures && { pictures }),
      };
    } catch (reason) {
      this.signal.throwIfAborted();
      return {
        text: `${tool.name} failed: ${reason instanceof Error ? reason.message : String(reason)}`,
        failed: true,
      };
    }
  }

  #init(): RunInit {
    return {
      task: this.task,
      services: this.#services,
      sampling: this.sampling,
      budget: this.#budget,
      signal: this.signal,
    };
  }
}

function missing(what: string): Error {
  return new CrucibleError('failed-precondition', `this strategy needs ${what}, and there is none`);
}

class AnswerInProgress {
  text = '';
  finish: Completion['finish'] | undefined;
  toolCalls: readonly ToolCall[] = [];
  readonly #stops: StopMatcher;
  readonly #mostCharacters: number;

  constructor(stops: readonly string[], mostCharacters: number) {
    this.#stops = new StopMatcher(stops);
    this.#mostCharacters = mostCharacters;
  }

  get isOver(): boolean {
    return this.finish !== undefined;
  }

  /** The text that can be shown. */
  push(text: string): string {
    if (this.isOver) return '';
    const shown = this.#stops.push(text);
    this.text += shown;
    if (this.#stops.stopped) this.finish = 'stop';
    else if (this.text.length > this.#mostCharacters) this.finish = 'length';
    return shown;
  }

  end(finish: Completion['finish'], toolCalls: readonly ToolCall[] = []): string {
    if (this.isOver) return '';
    const rest = this.#stops.flush();
    this.text += rest;
    this.finish = finish;
    this.toolCalls = toolCalls;
    return rest;
  }
}

function brokenOff(answers: readonly AnswerInProgress[]): Outcome | undefined {
  const text = answers.length === 1 ? withoutThinking(answers[0]!.text).trim() : '';
  return text === '' ? undefined : { status: 'none', text };
}

function withoutThinking(text: string): string {
  return text.replace(/^\s*<think>[\s\S]*?(?:<\/think>\s*|$)/, '');
}

export function assertSampling({ temperature = 0, topP = 1, seed = 0, maxTokens = 1 }: Sampling): void {
  const check = (name: string, value: number, isRight: boolean, allowed: string): void => {
    if (!isRight)
      throw invalidInput(`sampling.${name}: ${value} is given; ${allowed} is allowed`, { at: `sampling.${name}` });
  };
  check('temperature', temperature, temperature >= 0 && temperature <= 2, 'a number from 0 to 2');
  check('topP', topP, topP > 0 && topP <= 1, 'a number above 0 and at most 1');
  check('seed', seed, Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32, 'a whole number from 0 to 4294967295');
  check('maxTokens', maxTokens, Number.isSafeInteger(maxTokens) && maxTokens >= 1, 'a whole number of at least 1');
}
