/** A question to a model, by a strategy or without one, and what comes back, as it comes. */
import type { Step } from '@crucible/prompting';
import { parseStep } from '../trace/trace.ts';
import { eventsOf } from './event-stream.ts';
import { ApiError, isAbort, request } from './http.ts';

export interface Approval {
  readonly id: string;
  readonly tool: string;
  readonly description: string;
  readonly input: unknown;
}

export interface ChatBody {
  readonly model: string;
  readonly messages: readonly { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }[];
  readonly temperature?: number;
  readonly max_tokens?: number;
  readonly crucible?: Readonly<Record<string, unknown>>;
}

export type ChatUpdate =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'run'; readonly id: string }
  | { readonly kind: 'step'; readonly step: Step }
  | { readonly kind: 'approval'; readonly approval: Approval }
  | { readonly kind: 'finish'; readonly reason: string }
  | { readonly kind: 'tokens'; readonly prompt: number; readonly completion: number };

interface Chunk {
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null };
    readonly finish_reason?: string | null;
  }[];
  readonly crucible?: { readonly run_id?: string; readonly step?: unknown; readonly approval?: Approval };
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
  readonly error?: { readonly message: string };
}

/** Leaving the loop early, or the signal, ends the request; and with it the run. */
export async function* streamChat(body: ChatBody, signal: AbortSignal): AsyncGenerator<ChatUpdate, void, undefined> {
  const response = await request('/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
    signal,
  });
  let runId: string | undefined;
  try {
    for await (const { data } of eventsOf(response)) {
      if (data === '[DONE]') return;
      const chunk = JSON.parse(data) as Chunk;
      if (chunk.error) throw new ApiError(chunk.error.message, response.status);
      const { run_id: id, step, approval } = chunk.crucible ?? {};
      if (id !== undefined && id !== runId) {
        runId = id;
        yield { kind: 'run', id };
      }
      const parsed = parseStep(step);
      if (parsed) yield { kind: 'step', step: parsed };
      if (approval) yield { kind: 'approval', approval };
      for (const { delta, finish_reason: reason } of chunk.choices ?? []) {
        if (delta?.content) yield { kind: 'text', text: delta.content };
        if (reason) yield { kind: 'finish', reason };
      }
      if (chunk.usage)
        yield { kind: 'tokens', prompt: chunk.usage.prompt_tokens, completion: chunk.usage.completion_tokens };
    }
  } catch (reason) {
    if (isAbort(reason) || reason instanceof ApiError) throw reason;
    if (reason instanceof TypeError) throw broken();
    throw reason;
  }
  throw broken();
}

function broken(): ApiError {
  return new ApiError('The connection to the gateway broke off before the answer was complete.', 0);
}
