import { invalidInput } from '@crucible/foundation';
import { maximumVocabSize } from '../models/merge.ts';
import type { NormalizerDefinition } from '../normalizers/normalizer.ts';
import type { TokenizerSettings } from '../settings.ts';
import { Tokenizer } from '../tokenizer.ts';
import { learnMerges, type Word } from './learn-merges.ts';
import { PieceCounts, type TrainingOptions, TrainingTurns } from './piece-counts.ts';
import { specialToken } from './train-bpe.ts';

export interface TrainWordPieceOptions extends TrainingOptions {
  /** Tokens in all: five special tokens, characters, and longer ones. The text may be used up by fewer. At most 2^20. */
  readonly vocabSize: number;
  /** Text is read in lower case and without accents, as for BERT's uncased models. Default: true. */
  readonly lowercase?: boolean;
  /** Different characters that are kept, the most frequent ones; the others are unknown. Default: 1000. */
  readonly limitAlphabet?: number;
  /** Pairs of tokens that are rarer do not become one. Default: 2. */
  readonly minFrequency?: number;
}

/** BERT's special tokens, in the order of their ids, from 0. */
const specialTokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] as const;
const [padToken, unkToken, clsToken, sepToken, maskToken] = specialTokens;
const settings: TokenizerSettings = { padToken, unkToken, clsToken, sepToken, maskToken };

const prefix = '##';

/**
 * Learns a WordPiece vocabulary with BERT's way of reading text: `tokenize` puts `[CLS]` and `[SEP]` around. Pairs become
 * tokens in the order of their frequency, as Hugging Face's WordPieceTrainer has it; of equally frequent ones the one
 * with the smaller ids comes first. Deterministic, whatever the order of `texts`. The event loop turns between texts and
 * between merges, which is when `signal` and `onProgress` are served.
 */
export async function trainWordPiece(texts: Iterable<string>, options: TrainWordPieceOptions): Promise<Tokenizer> {
  const { vocabSize, lowercase = true, limitAlphabet = 1000, minFrequency = 2 } = options;
  const least = specialTokens.length + 1;
  assertWhole('vocabSize', vocabSize, least, maximumVocabSize);
  assertWhole('limitAlphabet', limitAlphabet, 1, maximumVocabSize);
  assertWhole('minFrequency', minFrequency, 1, Number.MAX_SAFE_INTEGER);
  const turns = new TrainingTurns(options);

  const normalizer: NormalizerDefinition = {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase,
  };
  const preTokenizer = { type: 'BertPreTokenizer' } as const;
  const pieces = new PieceCounts(normalizer, preTokenizer);
  await pieces.addAll(texts, turns);
  if (pieces.characters === 0) throw invalidInput('texts: there is no text to train on', { at: 'texts' });

  const { vocab, words } = splitIntoCharacters(pieces, limitAlphabet);
  if (vocab.size > vocabSize) {
    throw invalidInput(
      `vocabSize: ${vocabSize} are fewer tokens than the ${vocab.size} that special tokens and characters take; ` +
        'a smaller limitAlphabet makes these fewer',
      { at: 'vocabSize' },
    );
  }
  const learning = learnMerges(words, vocab, {
    size: vocabSize,
    reserved: new Set(specialTokens),
    prefix,
    minFrequency,
  });
  for (let step = learning.next(); !step.done; step = learning.next()) {
    if (turns.due()) await turns.take({ phase: 'merging', tokens: vocab.size, vocabSize });
  }
  return new Tokenizer(
    {
      normalizer,
      preTokenizer,
      model: { type: 'WordPiece', vocab, unkToken, continuingSubwordPrefix: prefix, maxInputCharsPerWord: 100 },
      postProcessor: {
        type: 'TemplateProcessing',
        single: [special(clsToken, 0), sequence('A', 0), special(sepToken, 0)],
        pair: [special(clsToken, 0), sequence('A', 0), special(sepToken, 0), sequence('B', 1), special(sepToken, 1)],
        special_tokens: Object.fromEntries(
          [clsToken, sepToken].map((token) => [token, { id: token, ids: [vocab.get(token)!], tokens: [token] }]),
        ),
      },
      decoder: { type: 'WordPiece', prefix, cleanup: true },
      addedTokens: specialTokens.map(specialToken),
    },
    settings,
  );
}

function special(id: string, type_id: number): { SpecialToken: { id: string; type_id: number } } {
  return { SpecialToken: { id, type_id } };
}

function sequence(id: 'A' | 'B', type_id: number): { Sequence: { id: 'A' | 'B'; type_id: number } } {
  return { Sequence: { id, type_id } };
}

/**
 * Words as characters, and a vocabulary of the special tokens, the characters that are kept, and those that do not begin
 * a word with their prefix; in the order of code points.
 */
function splitIntoCharacters(
  pieces: Iterable<[piece: string, count: number]>,
  limit: number,
): { vocab: Map<string, number>; words: Word[] } {
  const all = [...pieces].map(([piece, count]) => ({ characters: Array.from(piece), count }));
  const counts = new Map<string, number>();
  for (const { characters, count } of all) {
    for (const character of characters) counts.set(character, (counts.get(character) ?? 0) + count);
  }
  const byCode = (a: string, b: string): number => a.codePointAt(0)! - b.codePointAt(0)!;
  const kept = [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)! || byCode(a, b)).slice(0, limit);
  const alphabet = new Set(kept.sort(byCode));
  const continuing = new Set(all.flatMap(({ characters }) => characters.slice(1)));

  const vocab = new Map<string, number>();
  const add = (token: string): void => {
    if (!vocab.has(token)) vocab.set(token, vocab.size);
  };
  for (const token of specialTokens) add(token);
  for (const character of alphabet) add(character);
  for (const character of alphabet) if (continuing.has(character)) add(prefix + character);
  const words = all.map(({ characters, count }) => ({
    symbols: characters.flatMap((character, i) =>
      alphabet.has(character) ? [vocab.get(i === 0 ? character : prefix + character)!] : [],
    ),
    count,
  }));
  return { vocab, words };
}

function assertWhole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw invalidInput(`${name}: ${value} is not a whole number from ${least} to ${most}`, { at: name });
}
