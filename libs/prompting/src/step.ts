/** What a run of a strategy is made of, as it happens: the trace. All of it is JSON-safe. */
import type { ErrorCode } from '@crucible/foundation';
import type { ChatMessage, FinishReason, TokenUsage, ToolCall } from './chat-model.ts';
import type { CodeResult } from './code-runner.ts';
import type { Passage } from './retriever.ts';
import type { Picture } from './tool.ts';

/** A passage that an answer rests on. */
export interface Citation {
  /** As in the text of the answer: `[2]`; from 1. */
  readonly number: number;
  readonly passage: Passage;
  /** The words of what is cited for occur in the passage. */
  readonly supported: boolean;
}

export type OutcomeStatus =
  | 'answered'
  /** The model, or the retriever, says that there is no answer in what was found. */
  | 'not-found'
  /** No answer came out: it could not be read, or a limit came first. */
  | 'none';

export interface Outcome {
  readonly status: OutcomeStatus;
  /** For people; '' where there is none. */
  readonly text: string;
  /** What is voted on and compared, by the kind of answer that the task wants. */
  readonly key?: string;
  readonly citations?: readonly Citation[];
  /** The share of votes, 0 to 1. */
  readonly confidence?: number;
  /** The answer was demanded, for this reason, before the model gave it by itself. */
  readonly forced?: 'step-limit' | 'loop' | 'context' | 'no-action';
}

/** What strategies yield. */
export type StepBody =
  /** A model is asked. `call` counts the calls of a run from 1. */
  | {
      readonly kind: 'prompt';
      readonly call: number;
      readonly purpose: string;
      readonly messages: readonly ChatMessage[];
      readonly maxTokens: number;
    }
  | { readonly kind: 'text'; readonly call: number; readonly answer: number; readonly text: string }
  | {
      readonly kind: 'completion';
      readonly call: number;
      /** Of several answers to one prompt, from 0. */
      readonly answer: number;
      readonly text: string;
      /** `cut`: we stopped it, by a limit. */
      readonly finish: FinishReason | 'cut';
      readonly toolCalls?: readonly ToolCall[];
    }
  | { readonly kind: 'examples'; readonly chosen: readonly string[]; readonly leftOut: number }
  | { readonly kind: 'thought'; readonly step: number; readonly text: string }
  | {
      readonly kind: 'action';
      readonly step: number;
      readonly tool: string;
      readonly input: Readonly<Record<string, unknown>>;
      readonly callId?: string;
    }
  | {
      readonly kind: 'observation';
      readonly step: number;
      readonly text: string;
      /** Characters that the model was not shown. */
      readonly omitted: number;
      readonly failed: boolean;
      readonly passages?: readonly Passage[];
      readonly pictures?: readonly Picture[];
    }
  | { readonly kind: 'program'; readonly attempt: number; readonly program: string }
  | ({ readonly kind: 'program-result'; readonly attempt: number; readonly value?: string } & CodeResult)
  | { readonly kind: 'passages'; readonly query: string; readonly passages: readonly Passage[] }
  | {
      readonly kind: 'vote';
      readonly votes: readonly { readonly key: string; readonly count: number }[];
      readonly invalid: number;
      readonly tied: boolean;
    }
  /** The strategy that goes on in the place of another. */
  | { readonly kind: 'fall-back'; readonly to: string; readonly reason: string }
  /** Something that went wrong and was dealt with. */
  | {
      readonly kind: 'notice';
      readonly what:
        'malformed-action' | 'unknown-tool' | 'loop' | 'observation-dropped' | 'bad-citation' | 'sample-failed';
      readonly text: string;
    }
  | ({ readonly kind: 'answer'; readonly partial: boolean } & Outcome)
  | {
      readonly kind: 'end';
      readonly reason: EndReason;
      readonly usage: RunUsage;
      readonly error?: { readonly code: ErrorCode; readonly message: string; readonly at?: string };
    };

/** `context`: the prompt no longer fits the model. */
export type EndReason = 'finished' | 'steps' | 'time' | 'tokens' | 'context' | 'cancelled' | 'error';

export interface RunUsage extends TokenUsage {
  readonly calls: number;
  /** Some server did not say, and tokens were estimated. */
  readonly estimated: boolean;
}

/** A step, and where it belongs. */
export type Step = StepBody & {
  /** From 1, without gaps. */
  readonly number: number;
  /** Since the run began. */
  readonly elapsedMs: number;
  readonly strategy: string;
  /** Which of several samples, from 0; those within samples have several numbers. */
  readonly sample?: readonly number[];
};
