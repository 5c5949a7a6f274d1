import { invalidInput } from '@crucible/foundation';
import type { AddedToken } from '../added-tokens.ts';
import { byteAlphabet, bytesInAlphabetOrder } from '../byte-alphabet.ts';
import { maximumVocabSize } from '../models/merge.ts';
import type { PreTokenizerDefinition } from '../pre-tokenizers/pre-tokenizer.ts';
import { assertSettings, type TokenizerSettings } from '../settings.ts';
import { ownSettings, ownSpecialTokens } from '../special-tokens.ts';
import { Tokenizer } from '../tokenizer.ts';
import { learnMerges } from './learn-merges.ts';
import { PieceCounts, type TrainingOptions, TrainingTurns } from './piece-counts.ts';

export interface TrainBpeOptions extends TrainingOptions {
  /** Tokens in all: special tokens, 256 bytes, and one a merge. The text may be used up by fewer. At most 2^20. */
  readonly vocabSize: number;
  /** They get the first ids, in this order. Default: `ownSpecialTokens`. */
  readonly specialTokens?: readonly string[];
  /** The tokens that it names are special tokens. Default: `ownSettings`; with `specialTokens` of one's own, none. */
  readonly settings?: TokenizerSettings;
}

/**
 * How our own models split. Llama 3's pattern with one change: every digit is a piece of its own, so that arithmetic can
 * be learned. It is spelled so that other engines of regular expressions take it as it is (no `\s`, no inline flags).
 */
const ownSplitPattern = [
  "'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])",
  '[^\\r\\n\\p{L}\\p{N}]?\\p{L}+',
  '\\p{N}',
  ' ?[^\\p{White_Space}\\p{L}\\p{N}]+[\\r\\n]*',
  '\\p{White_Space}*[\\r\\n]+',
  '\\p{White_Space}+(?!\\P{White_Space})',
  '\\p{White_Space}+',
].join('|');

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false } as const;
const ownPreTokenizer: PreTokenizerDefinition = {
  type: 'Sequence',
  pretokenizers: [
    { type: 'Split', pattern: { Regex: ownSplitPattern }, behavior: 'Isolated', invert: false },
    byteLevel,
  ],
};

/**
 * Learns a byte-level BPE vocabulary. Deterministic, whatever the order of `texts`; the same merges as those of Hugging
 * Face's BpeTrainer with the same pre-tokenizer. Lone surrogates are read as U+FFFD. The event loop turns between texts
 * and between merges, which is when `signal` and `onProgress` are served.
 */
export async function trainBpe(texts: Iterable<string>, options: TrainBpeOptions): Promise<Tokenizer> {
  const { vocabSize, specialTokens = ownSpecialTokens } = options;
  const settings = options.settings ?? (options.specialTokens === undefined ? ownSettings : {});
  assertTrainable(vocabSize, specialTokens);
  assertSettings(settings, (token) => specialTokens.includes(token));
  const turns = new TrainingTurns(options);

  const vocab = new Map(specialTokens.map((token, id) => [token, id]));
  const idOfByte = new Int32Array(256);
  for (const byte of bytesInAlphabetOrder) {
    idOfByte[byte] = vocab.size;
    vocab.set(byteAlphabet[byte]!, vocab.size);
  }

  const pieces = new PieceCounts(null, ownPreTokenizer);
  await pieces.addAll(texts, turns);
  if (pieces.characters === 0) throw invalidInput('texts: there is no text to train on', { at: 'texts' });

  const utf8 = new TextEncoder();
  const words = Array.from(pieces, ([piece, count]) => ({
    symbols: Array.from(utf8.encode(piece), (byte) => idOfByte[byte]!),
    count,
  }));
  const learning = learnMerges(words, vocab, { size: vocabSize, reserved: new Set(specialTokens) });
  let step = learning.next();
  for (; !step.done; step = learning.next()) {
    if (turns.due()) await turns.take({ phase: 'merging', tokens: vocab.size, vocabSize });
  }
  return new Tokenizer(
    {
      normalizer: null,
      preTokenizer: ownPreTokenizer,
      model: {
        type: 'BPE',
        vocab,
        merges: step.value,
        unkToken: null,
        continuingSubwordPrefix: null,
        endOfWordSuffix: null,
        fuseUnk: false,
        byteFallback: false,
        ignoreMerges: false,
      },
      postProcessor: null,
      decoder: { ...byteLevel, add_prefix_space: true, use_regex: true },
      addedTokens: specialTokens.map(specialToken),
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

/** A special token as training makes one. */
export function specialToken(content: string, id: number): AddedToken {
  return { id, content, special: true, singleWord: false, lstrip: false, rstrip: false, normalized: false };
}
