/** What a forge learns from: the built-in world, or a user's own files. */
import type { GenerationEngine } from '@crucible/inference';
import type { Tokenizer } from '@crucible/tokenizer';
import type { AnswerGroup, AnswerSource } from '../batches/answer-groups.ts';
import type { ChatSource } from '../batches/chat-rows.ts';
import type { TokenSource } from '../batches/token-windows.ts';
import type { ValidationText } from '../bits-per-byte.ts';
import type { PromptSource } from '../ppo.ts';

/** Figures of a chat model on held-out questions. */
export interface ChatFigures {
  /** Share of the likeliest answers that are right. */
  readonly exact: number;
  /** Mean score of the verifier, 0 to 1; where it is the verifier's, of sampled answers, as reinforcement learning sees them. */
  readonly score: number;
  /** `exact` by task. */
  readonly tasks: Readonly<Record<string, number>>;
}

/** Graded answers for the reward model; built when B exists, since B's own answers may be among them. */
export interface PreferenceData {
  readonly source: AnswerSource;
  readonly heldOut: readonly AnswerGroup[];
}

export interface EvaluateOptions {
  readonly count: number;
  readonly signal?: AbortSignal;
}

export interface ForgeData {
  /** One line for people. */
  readonly description: string;
  /** Texts that the tokenizer is trained on. */
  readonly tokenizerTexts: () => Iterable<string>;
  readonly text: (
    tokenizer: Tokenizer,
    seed: number,
  ) => { readonly source: TokenSource; readonly validation: ValidationText };
  /** Undefined: the forge ends after pre-training. */
  readonly chats: ((tokenizer: Tokenizer, seed: number) => ChatSource) | undefined;
  /** Undefined: the forge ends after fine-tuning. `engine` answers with model B. */
  readonly preferences:
    | ((tokenizer: Tokenizer, seed: number, engine: GenerationEngine, signal?: AbortSignal) => Promise<PreferenceData>)
    | undefined;
  /** Prompts to practise on, and other ones to measure on. */
  readonly prompts:
    | ((tokenizer: Tokenizer, seed: number) => { readonly train: PromptSource; readonly heldOut: PromptSource })
    | undefined;
  /** Measures the model that `engine` answers with; undefined where nothing can be verified. */
  readonly evaluate:
    ((engine: GenerationEngine, tokenizer: Tokenizer, options: EvaluateOptions) => Promise<ChatFigures>) | undefined;
}
