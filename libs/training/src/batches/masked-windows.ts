/**
 * Batches for a masked language model (Devlin et al. 2019): rows [CLS] text [SEP], in which some of the words are to be
 * found again. Words are chosen whole (the authors' "whole word masking"): 15 % of the tokens; of these 80 % become
 * [MASK], 10 % a random token, and 10 % stay as they are.
 */
import { invalidInput, Random } from '@crucible/foundation';
import { floats, type FloatArray, type IntArray, ints, type NdArray } from '@crucible/tensor';
import type { Tokenizer } from '@crucible/tokenizer';
import type { TokenSource } from './token-windows.ts';

export interface MaskedBatch {
  readonly [name: string]: NdArray;
  /** Token ids, int32 [rows, time]. */
  readonly ids: IntArray;
  /** Indices, over all rows, of the tokens to find again, int32 [targets]. */
  readonly at: IntArray;
  /** What stood there, int32 [targets]. */
  readonly targets: IntArray;
  /** Weight of each in the mean, 0 for padding, float32 [targets]. */
  readonly weights: FloatArray;
}

/** What masking needs to know of a vocabulary. */
export interface MaskedVocabulary {
  readonly cls: number;
  readonly sep: number;
  readonly mask: number;
  readonly size: number;
  /** By id: 1 where the token goes on with the word before it. */
  readonly continues: Uint8Array;
  /** By id: 1 for special tokens, which are neither masked nor put in the place of others. */
  readonly special: Uint8Array;
}

export interface Masking {
  /** Share of the tokens that are to be found. */
  readonly share: number;
  /** Whether words are masked whole; otherwise each token by itself. */
  readonly wholeWords: boolean;
}

/** The special tokens that a text is put between, and which tokens make words together. */
export function maskedVocabulary(tokenizer: Tokenizer): MaskedVocabulary {
  const { maskId: mask, vocabSize: size } = tokenizer;
  const { ids } = tokenizer.tokenize('');
  const [cls, sep] = ids;
  if (mask === undefined || ids.length !== 2) {
    throw invalidInput(
      mask === undefined
        ? 'the tokenizer has no mask token; one of a masked language model is needed'
        : 'the tokenizer does not put a text between two special tokens, as those of masked language models do',
      { at: 'base_model' },
    );
  }
  const continues = new Uint8Array(size);
  const special = new Uint8Array(size);
  for (const id of tokenizer.specialTokens.values()) special[id] = 1;
  const beginsWord = wordBeginnings(tokenizer);
  for (let id = 0; id < size; id++) continues[id] = Number(!special[id] && !beginsWord(id));
  return { cls: cls!, sep: sep!, mask, size, continues, special };
}

/** Whether a token begins a word: by the mark of those that go on (WordPiece), or of those that begin (byte-level BPE, SentencePiece). */
function wordBeginnings({ definition: { model } }: Tokenizer): (id: number) => boolean {
  const entries = model.type === 'Unigram' ? model.pieces.map(([token], id) => [token, id] as const) : model.vocab;
  const tokens = new Map(Array.from(entries, ([token, id]) => [id, token]));
  const tokenOf = (id: number): string => tokens.get(id) ?? '';
  if (model.type === 'WordLevel') return () => true;
  if (model.type === 'WordPiece') return (id) => !tokenOf(id).startsWith(model.continuingSubwordPrefix);
  // What has no letter or digit, as punctuation, is a word of its own.
  return (id) => /^[\u0120\u2581]|^[^\p{L}\p{N}]*$/u.test(tokenOf(id));
}

/** Rows of a stream of text without special tokens but the separators of documents. Batch `step` is the same whenever it is asked for. */
export function maskedSource(
  text: TokenSource,
  vocabulary: MaskedVocabulary,
  { share, wholeWords }: Masking,
  seed: number,
): { readonly batch: (step: number, rows: number, time: number) => MaskedBatch } {
  return {
    batch: (step, rows, time) => {
      const inner = time - 2;
      const most = Math.max(1, Math.round(share * inner));
      const { data } = text.batch(step, rows, inner).ids;
      const ids = new Int32Array(rows * time);
      const at = new Int32Array(rows * most);
      const targets = new Int32Array(rows * most);
      const weights = new Float32Array(rows * most);
      let found = 0;
      for (let row = 0; row < rows; row++) {
        const tokens = data.subarray(row * inner, (row + 1) * inner);
        const start = row * time;
        ids[start] = vocabulary.cls;
        ids.set(tokens, start + 1);
        ids[start + time - 1] = vocabulary.sep;
        const random = Random.seeded(seed).fork(`mask ${step * rows + row}`);
        for (const place of chosenPlaces(tokens, vocabulary, { most, wholeWords }, random)) {
          const id = tokens[place]!;
          at[found] = start + 1 + place;
          targets[found] = id;
          found++;
          ids[start + 1 + place] = disguised(id, vocabulary, random);
        }
      }
      weights.fill(1 / Math.max(1, found), 0, found);
      const count = [rows * most] as const;
      return {
        ids: ints([rows, time], ids),
        at: ints(count, at),
        targets: ints(count, targets),
        weights: floats(count, weights),
      };
    },
  };
}

/** Words in random order, as many as fit into `most` tokens. */
function chosenPlaces(
  tokens: Int32Array | Uint16Array,
  { continues, special }: MaskedVocabulary,
  { most, wholeWords }: { readonly most: number; readonly wholeWords: boolean },
  random: Random,
): number[] {
  const words: number[][] = [];
  tokens.forEach((id, place) => {
    if (special[id]) return;
    const goesOn = wholeWords && continues[id] && place > 0 && !special[tokens[place - 1]!];
    if (goesOn) words.at(-1)!.push(place);
    else words.push([place]);
  });
  const chosen: number[] = [];
  for (const word of random.shuffled(words)) if (chosen.length + word.length <= most) chosen.push(...word);
  return chosen;
}

function disguised(id: number, { mask, size, special }: MaskedVocabulary, random: Random): number {
  const luck = random.uniform();
  if (luck < 0.8) return mask;
  if (luck >= 0.9) return id;
  for (;;) {
    const other = random.integer(0, size - 1);
    if (!special[other]) return other;
  }
}
