/** Our policy over gRPC as a chat model: messages go through the model's own chat template, tokens cross the boundary. */
import { CrucibleError, invalidInput } from '@crucible/foundation';
import {
  type ChatEvent,
  type ChatMessage,
  type ChatModel,
  type ChatRequest,
  sideBySide,
  StopMatcher,
  type Wording,
} from '@crucible/prompting';
import type { ModelInfo } from '@crucible/protos/model/v1';
import { FinishReason, type PolicyService } from '@crucible/protos/policy/v1';
import type { Client } from '@crucible/rpc';

/** A tokenizer with its chat template, as far as a chat needs it; libs/tokenizer has all of it. */
export interface ChatEncoder {
  /** The prompt for the next answer. Contents are plain text, whatever they look like. */
  readonly encode: (
    messages: readonly { readonly role: ChatMessage['role']; readonly content: string }[],
  ) => readonly number[];
  /** Text of tokens as they come; special tokens have none. */
  readonly createDecoder: () => { readonly push: (id: number) => string; readonly flush: () => string };
  /** Of one token, for log-probabilities. */
  readonly textOf: (id: number) => string;
}

export interface PolicyModelOptions {
  readonly policy: Client<typeof PolicyService>;
  readonly model: ModelInfo;
  readonly encoder: ChatEncoder;
  /** Default forged. */
  readonly wording?: Wording;
  /** For a whole answer. Default 5 minutes. */
  readonly deadlineMs?: number;
}

/** Answers that are drawn side by side; the prompt is read once, and found in the cache by the others. */
const mostSamples = 16;

export function createPolicyModel({
  policy,
  model,
  encoder,
  wording = 'forged',
  deadlineMs = 5 * 60_000,
}: PolicyModelOptions): ChatModel {
  const encode = (messages: readonly ChatMessage[]): readonly number[] => encoder.encode(messages.map(plainMessage));
  const ends = new Set(model.endTokenIds);

  async function* sampleOf(
    request: ChatRequest,
    prompt: readonly number[],
    sample: number,
    signal: AbortSignal,
  ): AsyncGenerator<ChatEvent | Spent, void, undefined> {
    const { maxTokens, temperature, topP, seed, logprobs: wantsLogprobs = false } = request;
    const stops = new StopMatcher(request.stops ?? []);
    const decoder = encoder.createDecoder();
    let completionTokens = 0;
    let finish: 'stop' | 'length' = 'stop';
    const stream = policy.generate(
      {
        model: model.name,
        promptTokenIds: [...prompt],
        sampling: {
          maxTokens: maxTokens ?? 0,
          ...(temperature !== undefined && { temperature }),
          ...(topP !== undefined && { topP }),
          ...(seed !== undefined && { seed: (seed + sample) % 2 ** 32 }),
        },
      },
      { signal, deadlineMs },
    );
    for await (const { event } of stream) {
      if (event.case === 'finished') {
        if (event.value.finishReason === FinishReason.CANCELLED)
          throw new CrucibleError('unavailable', 'the policy is shutting down; the answer was broken off');
        finish = event.value.finishReason === FinishReason.LENGTH ? 'length' : 'stop';
      }
      if (event.case !== 'chunk') continue;
      let text = '';
      const logprobs = [];
      for (const [i, id] of event.value.tokenIds.entries()) {
        completionTokens++;
        if (ends.has(id)) continue;
        text += stops.push(decoder.push(id));
        logprobs.push({ token: encoder.textOf(id), logprob: event.value.logprobs[i]! });
        if (stops.stopped) break;
      }
      if (text !== '' || wantsLogprobs) yield { kind: 'text', sample, text, ...(wantsLogprobs && { logprobs }) };
      // Leaving the loop cancels the call, which stops the generation.
      if (stops.stopped) break;
    }
    const rest = stops.push(decoder.flush()) + stops.flush();
    if (rest !== '') yield { kind: 'text', sample, text: rest };
    yield { kind: 'end', sample, finish: stops.stopped ? 'stop' : finish };
    yield { kind: 'spent', completionTokens };
  }

  async function* generate(request: ChatRequest): AsyncGenerator<ChatEvent, void, undefined> {
    const { samples = 1, tools = [], signal } = request;
    if (tools.length > 0)
      throw invalidInput(`${model.name} has no tool calls of an API; it acts in text`, { at: 'tools' });
    const prompt = encode(request.messages);
    const left = new AbortController();
    const both = AbortSignal.any([signal, left.signal]);
    let completionTokens = 0;
    try {
      const streams = Array.from({ length: samples }, (_, sample) => () => sampleOf(request, prompt, sample, both));
      for await (const event of sideBySide(streams, samples)) {
        if (event.kind === 'spent') completionTokens += event.completionTokens;
        else yield event;
      }
      yield { kind: 'usage', usage: { promptTokens: prompt.length, completionTokens } };
    } finally {
      left.abort();
    }
  }

  return {
    name: model.name,
    contextTokens: model.contextLength,
    wording,
    plainToolMessages: true,
    nativeTools: false,
    mostSamples,
    countTokens: (messages) => encode(messages).length,
    generate,
  };
}

/** What a sample took, for the usage of all. */
interface Spent {
  readonly kind: 'spent';
  readonly completionTokens: number;
}

function plainMessage({ role, content }: ChatMessage): {
  readonly role: ChatMessage['role'];
  readonly content: string;
} {
  return { role, content };
}
