/** A model that says what a test tells it to, in pieces as a real one does, and keeps what it was asked. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ChatEvent, ChatModel, ChatRequest, FinishReason, TokenUsage, ToolCall } from '../chat-model.ts';

export type ScriptedAnswer =
  | string
  | Error
  | {
      readonly text?: string;
      readonly toolCalls?: readonly ToolCall[];
      readonly finish?: FinishReason;
      /** Milliseconds before each piece. */
      readonly delayMs?: number;
      /** Repeats the text until it is stopped. */
      readonly endless?: boolean;
      /** Goes on whatever the signal says. */
      readonly deaf?: boolean;
      readonly usage?: TokenUsage;
    };

export interface ScriptedModelOptions extends Partial<Omit<ChatModel, 'generate'>> {
  /** Hold back text at stop strings, as good servers do. Default true. */
  readonly honoursStops?: boolean;
}

export interface ScriptedModel extends ChatModel {
  /** In the order in which they came. */
  readonly requests: readonly ChatRequest[];
  /** Generations that have begun and not ended. */
  readonly open: number;
}

/** `answers`: one for each request (the last again and again), or what the request and the sample decide. */
export function scriptedModel(
  answers: readonly ScriptedAnswer[] | ((request: ChatRequest, sample: number) => ScriptedAnswer),
  { honoursStops = true, ...model }: ScriptedModelOptions = {},
): ScriptedModel {
  const requests: ChatRequest[] = [];
  let open = 0;
  const answerOf = (request: ChatRequest, sample: number, place: number): ScriptedAnswer =>
    typeof answers === 'function' ? answers(request, sample) : answers[Math.min(place, answers.length - 1)]!;

  async function* generate(request: ChatRequest): AsyncGenerator<ChatEvent, void, undefined> {
    const place = requests.push(request) - 1;
    open++;
    try {
      const usages: TokenUsage[] = [];
      for (let sample = 0; sample < (request.samples ?? 1); sample++) {
        const given = answerOf(request, sample, place);
        if (given instanceof Error) throw given;
        const {
          text = '',
          toolCalls,
          finish,
          delayMs = 0,
          endless = false,
          deaf = false,
          usage,
        } = typeof given === 'string' ? { text: given } : given;
        const cut = honoursStops
          ? Math.min(...(request.stops ?? []).map((stop) => text.indexOf(stop)).map((at) => (at < 0 ? Infinity : at)))
          : Infinity;
        do {
          for (const piece of text.slice(0, cut).match(/[\s\S]{1,7}/g) ?? []) {
            if (delayMs > 0) await delay(delayMs, undefined, deaf ? {} : { signal: request.signal });
            if (!deaf) request.signal.throwIfAborted();
            yield { kind: 'text', sample, text: piece };
          }
        } while (endless);
        yield {
          kind: 'end',
          sample,
          finish: finish ?? (toolCalls ? 'tool-calls' : 'stop'),
          ...(toolCalls && { toolCalls }),
        };
        if (usage) usages.push(usage);
      }
      const [usage] = usages;
      if (usage) yield { kind: 'usage', usage };
    } finally {
      open--;
    }
  }

  return {
    name: 'scripted',
    wording: 'general',
    plainToolMessages: false,
    nativeTools: true,
    mostSamples: 1,
    ...model,
    requests,
    generate,
    get open() {
      return open;
    },
  };
}
