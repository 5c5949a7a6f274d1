import { throwIfCancelled } from '@crucible/foundation';
import { AlignedText } from '../aligned-text.ts';
import { createNormalizer, type NormalizerDefinition } from '../normalizers/normalizer.ts';
import {
  createPreTokenizer,
  type PreTokenizer,
  type PreTokenizerDefinition,
  preTokenizerSteps,
} from '../pre-tokenizers/pre-tokenizer.ts';
import { detachedString } from './detached-string.ts';
import { EventLoopTurns } from './event-loop-turns.ts';

export interface TrainingOptions {
  readonly signal?: AbortSignal;
  /** Called several times a second. */
  readonly onProgress?: (progress: TrainingProgress) => void;
}

export type TrainingProgress =
  | { readonly phase: 'reading'; readonly characters: number }
  | { readonly phase: 'merging'; readonly tokens: number; readonly vocabSize: number };

/** Lets a training share the event loop, and tells how far it is: `if (turns.due()) await turns.take(progress)`. */
export class TrainingTurns {
  readonly #turns = new EventLoopTurns(50);
  readonly #options: TrainingOptions;

  constructor(options: TrainingOptions) {
    this.#options = options;
    throwIfCancelled(options.signal, 'training the tokenizer');
  }

  due(): boolean {
    return this.#turns.due();
  }

  async take(progress: TrainingProgress): Promise<void> {
    this.#options.onProgress?.(progress);
    await this.#turns.take();
    throwIfCancelled(this.#options.signal, 'training the tokenizer');
  }
}

/** How often each piece is in the texts of a training. */
export class PieceCounts {
  /** UTF-16 code units read so far. */
  characters = 0;
  readonly #counts = new Map<string, number>();
  readonly #normalize: (text: AlignedText) => AlignedText;
  readonly #split: PreTokenizer;

  /** ByteLevel as the last step leaves the pieces as they are. */
  constructor(normalizer: NormalizerDefinition | null, preTokenizer: PreTokenizerDefinition) {
    this.#normalize = normalizer === null ? (text) => text : createNormalizer(normalizer);
    this.#split = createPreTokenizer(preTokenizerSteps(preTokenizer), { keepsBytes: true });
  }

  async addAll(texts: Iterable<string>, turns: TrainingTurns): Promise<void> {
    for (const text of texts) {
      this.#add(text);
      if (turns.due()) await turns.take({ phase: 'reading', characters: this.characters });
    }
  }

  [Symbol.iterator](): Iterator<[piece: string, count: number]> {
    return this.#counts[Symbol.iterator]();
  }

  #add(text: string): void {
    this.characters += text.length;
    const whole = this.#normalize(new AlignedText(text.toWellFormed()));
    if (whole.text === '') return;
    this.#split(whole, 0, whole.text.length, (part, start, end) => {
      const piece = part.text.slice(start, end);
      const count = this.#counts.get(piece);
      if (count === undefined) this.#counts.set(detachedString(piece), 1);
      else this.#counts.set(piece, count + 1);
    });
  }
}
