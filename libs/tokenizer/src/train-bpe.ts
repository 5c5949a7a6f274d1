import { invalidInput, throwIfCancelled } from '@crucible/foundation';
import type { AddedToken } from './added-tokens.ts';
import { byteAlphabet, bytesInAlphabetOrder } from './byte-alphabet.ts';
import { detachedString } from './detached-string.ts';
import { EventLoopTurns } from './event-loop-turns.ts';
import { learnMerges } from './learn-merges.ts';
import type { Word } from './learn-merges.ts';
import { maximumVocabSize } from './merge.ts';
import { createPieceSplitter, ownPreTokenizer } from './pre-tokenize.ts';
import { assertSettings } from './settings.ts';
import type { TokenizerSettings } from './settings.ts';
import { ownSettings, ownSpecialTokens } from './special-tokens.ts';
import { Tokenizer } from './tokenizer.ts';

export interface TrainBpeOptions {
  /** Tokens in all: special tokens, 256 bytes, and one a merge. The text may be used up by fewer. At most 2^20. */
  readonly vocabSize: number;
  /** They get the first ids, in this order. Default: `ownSpecialTokens`. */
  readonly specialTokens?: readonly string[];
  /** The tokens that it names are special tokens. Default: `ownSettings`; with `specialTokens` of one's own, none. */
  readonly settings?: TokenizerSettings;
  readonly signal?: AbortSignal;
  /** Called several times a second. */
  readonly onProgress?: (progress: TrainBpeProgress) => void;
}

export type TrainBpeProgress =
  | { readonly phase: 'reading'; readonly characters: number }
  | { readonly phase: 'merging'; readonly tokens: number; readonly vocabSize: number };

/**
 * Learns a byte-level BPE vocabulary. Deterministic, whatever the order of `texts`; the same merges as those of Hugging
 * Face's BpeTrainer with the same pre-tokenizer. Lone surrogates are read as U+FFFD. The event loop turns between texts
 * and between merges, which is when `signal` and `onProgress` are served.
 */
export async function trainBpe(texts: Iterable<string>, options: TrainBpeOptions): Promise<Tokenizer> {
  const { vocabSize, specialTokens = ownSpecialTokens, signal, onProgress } = options;
  const settings = options.settings ?? (options.specialTokens === undefined ? ownSettings : {});
  assertTrainable(vocabSize, specialTokens);
  assertSettings(settings, (token) => specialTokens.includes(token));
  throwIfCancelled(signal, 'training the tokenizer');
  const turns = new EventLoopTurns(50);
  const takeTurn = async (progress: TrainBpeProgress): Promise<void> => {
    onProgress?.(progress);
    await turns.take();
    throwIfCancelled(signal, 'training the tokenizer');
  };

  const vocab = new Map(specialTokens.map((token, id) => [token, id]));
  const idOfByte = new Int32Array(256);
  for (const byte of bytesInAlphabetOrder) {
    idOfByte[byte] = vocab.size;
    vocab.set(byteAlphabet[byte]!, vocab.size);
  }

  const pieces = new PieceCounts();
  for (const text of texts) {
    pieces.add(text);
    if (turns.due()) await takeTurn({ phase: 'reading', characters: pieces.characters });
  }
  if (pieces.characters === 0) throw invalidInput('texts: there is no text to train on', { at: 'texts' });

  const learning = learnMerges(pieces.words(idOfByte), vocab, vocabSize, new Set(specialTokens));
  let step = learning.next();
  for (; !step.done; step = learning.next()) {
    if (turns.due()) await takeTurn({ phase: 'merging', tokens: vocab.size, vocabSize });
  }
  return new Tokenizer(
    {
      normalizers: [],
      preTokenizer: ownPreTokenizer,
      model: { vocab, merges: step.value, ignoreMerges: false },
      addedTokens: specialTokens.map(specialToken),
      postProcessor: null,
    },
    settings,
  );
}

function assertTrainable(vocabSize: number, specialTokens: readonly string[]): void {
  for (const [i, token] of specialTokens.entries()) {
    const at = `specialTokens[${i}]`;
    if (token === '') throw invalidInput(`${at}: a special token cannot be empty`, { at });
    if (!token.isWellFormed()) throw invalidInput(`${at}: ${JSON.stringify(token)} has a lone surrogate`, { at });
    if (byteAlphabet.includes(token)) {
      throw invalidInput(`${at}: ${JSON.stringify(token)} is a character of the byte alphabet; take a longer one`, {
        at,
      });
    }
    const first = specialTokens.indexOf(token);
    if (first < i) throw invalidInput(`${at}: ${JSON.stringify(token)} is already specialTokens[${first}]`, { at });
  }
  const least = 256 + specialTokens.length;
  if (Number.isInteger(vocabSize) && vocabSize >= least && vocabSize <= maximumVocabSize) return;
  throw invalidInput(
    `vocabSize: ${vocabSize} is not a whole number from ${least} (256 bytes and ${specialTokens.length} special tokens) ` +
      `to ${maximumVocabSize}`,
    { at: 'vocabSize' },
  );
}

class PieceCounts {
  /** UTF-16 code units read so far. */
  characters = 0;
  readonly #counts = new Map<string, number>();
  readonly #split = createPieceSplitter(ownPreTokenizer, { exact: false });

  add(text: string): void {
    this.characters += text.length;
    this.#split(text, (piece) => {
      const count = this.#counts.get(piece);
      if (count === undefined) this.#counts.set(detachedString(piece), 1);
      else this.#counts.set(piece, count + 1);
    });
  }

  words(idOfByte: Int32Array): Word[] {
    // Writes lone surrogates as U+FFFD.
    const utf8 = new TextEncoder();
    return Array.from(this.#counts, ([piece, count]) => ({
      symbols: Array.from(utf8.encode(piece), (byte) => idOfByte[byte]!),
      count,
    }));
  }
}

function specialToken(content: string, id: number): AddedToken {
  return { id, content, special: true, lstrip: false, rstrip: false, normalized: false };
}
