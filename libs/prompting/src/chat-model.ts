/** A model that answers conversations: what strategies ask. Implementations are in libs/chat-models. */

/** A call of a tool that a model asked for by the means of its API. */
export interface ToolCall {
  /** Joins the call and its result. */
  readonly id: string;
  readonly name: string;
  /** JSON, as the model wrote it: possibly none. */
  readonly arguments: string;
}

/**
 * One message. A `tool` message with `callId` answers a call of the API; one without is plain text, which only models
 * with `plainToolMessages` take.
 */
export type ChatMessage =
  | { readonly role: 'system' | 'user'; readonly content: string }
  | { readonly role: 'assistant'; readonly content: string; readonly toolCalls?: readonly ToolCall[] }
  | { readonly role: 'tool'; readonly content: string; readonly callId?: string };

/** A tool as a model is told of it. */
export interface ToolDescription {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of an object. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface ChatRequest {
  readonly messages: readonly ChatMessage[];
  /** The most tokens of one answer. Default: as many as the context leaves. */
  readonly maxTokens?: number;
  /** Default: the model's. */
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
  /** An answer ends before the first of these; at most 4. Default: none. */
  readonly stops?: readonly string[];
  /** How many answers, 1 to `mostSamples` of the model. Default 1. */
  readonly samples?: number;
  /** Report the log-probability of every token. Default false. */
  readonly logprobs?: boolean;
  /** What the model may call by the means of its API. Default: nothing. */
  readonly tools?: readonly ToolDescription[];
  readonly signal: AbortSignal;
}

export interface TokenUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export interface TokenLogprob {
  readonly token: string;
  readonly logprob: number;
}

export type FinishReason =
  /** It was done, or met a stop string. */
  | 'stop'
  /** `maxTokens`, or the end of the context. */
  | 'length'
  | 'tool-calls'
  /** The server kept the answer back. */
  | 'refused';

/** `sample` counts from 0. Every sample has one `end`; `usage` of the whole request comes with the last, where known. */
export type ChatEvent =
  | {
      readonly kind: 'text';
      readonly sample: number;
      readonly text: string;
      readonly logprobs?: readonly TokenLogprob[];
    }
  | {
      readonly kind: 'end';
      readonly sample: number;
      readonly finish: FinishReason;
      readonly toolCalls?: readonly ToolCall[];
    }
  | { readonly kind: 'usage'; readonly usage: TokenUsage };

/**
 * How a model wants to be asked: in the words that the built-in world trains (`forged`; see docs/world.md), or in
 * instructions that spell everything out.
 */
export type Wording = 'forged' | 'general';

export interface ChatModel {
  readonly name: string;
  /** Prompt and answer together; undefined: not known, and the server says when it is too much. */
  readonly contextTokens?: number;
  readonly wording: Wording;
  /** It takes `tool` messages that answer no call of the API. */
  readonly plainToolMessages: boolean;
  /** It can call tools by the means of its API. */
  readonly nativeTools: boolean;
  /** The most answers that one request may ask for. */
  readonly mostSamples: number;
  /** Of text, by which tokens are estimated. Default 3; models of a small vocabulary have fewer. */
  readonly bytesPerToken?: number;
  /** Tokens of a prompt of these messages. Without it they are estimated. */
  readonly countTokens?: (messages: readonly ChatMessage[]) => number;
  /** Ends when every sample has; leaving the loop early stops the work. Errors are CrucibleErrors. */
  readonly generate: (request: ChatRequest) => AsyncIterable<ChatEvent>;
}

const defaultBytesPerToken = 3;

/** About how many tokens a text has: never far too few, for English and for programs. */
export function estimateTokens(text: string, bytesPerToken = defaultBytesPerToken): number {
  return Math.ceil(new TextEncoder().encode(text).length / bytesPerToken);
}

/** Tokens that a template spends on a message beside its content. */
const messageOverhead = 6;

export function countPromptTokens(model: ChatModel, messages: readonly ChatMessage[]): number {
  if (model.countTokens) return model.countTokens(messages);
  const estimate = (text: string): number => estimateTokens(text, model.bytesPerToken);
  return messages.reduce((sum, message) => {
    const calls = message.role === 'assistant' ? (message.toolCalls ?? []) : [];
    const extra = calls.reduce((more, call) => more + estimate(call.name + call.arguments), 0);
    return sum + estimate(message.content) + extra + messageOverhead;
  }, 0);
}
