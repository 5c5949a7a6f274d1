/**
 * Unigram language model (Kudo 2018, as sentencepiece has it): of all ways to write a piece as tokens, the one with the
 * highest sum of scores, found by Viterbi's algorithm. Characters without a token are unknown; neighbours are one.
 */
import { CrucibleError } from '@crucible/foundation';
import { widthAt } from '../aligned-text.ts';
import type { JsonField } from '../json-field.ts';
import { maximumVocabSize } from './merge.ts';
import { byteTokens, type Model, type PieceTokens } from './model.ts';
import { Trie } from './trie.ts';

export interface UnigramDefinition {
  readonly type: 'Unigram';
  /** Tokens with their scores, index = id. */
  readonly pieces: readonly (readonly [token: string, score: number])[];
  readonly unkId: number | null;
  /** What is unknown is written byte by byte, as `<0x0A>`, if all of these tokens are there. */
  readonly byteFallback: boolean;
}

export function parseUnigram(field: JsonField): UnigramDefinition {
  const vocab = field.get('vocab');
  const pieces = vocab.items().map((item) => {
    const [token, score, ...more] = item.items();
    if (token === undefined || score === undefined || more.length > 0) throw item.error('is not a token and a score');
    return [token.string(), score.number()] as const;
  });
  if (pieces.length > maximumVocabSize) throw vocab.error(`has more than ${maximumVocabSize} tokens`);
  const unkId = field.get('unk_id');
  return {
    type: 'Unigram',
    pieces,
    unkId: unkId.isAbsent ? null : unkId.index(pieces.length - 1),
    byteFallback: field.get('byte_fallback').boolean(false),
  };
}

export function formatUnigram({ pieces, unkId, byteFallback }: UnigramDefinition): object {
  return { type: 'Unigram', unk_id: unkId, vocab: pieces, byte_fallback: byteFallback };
}

/**
 * A score as tokenizers reads it: its JSON reader takes the digits as a whole number and divides by a power of ten, so
 * that the last bit may be another (for a quarter of all scores). It decides between ways that are equally good.
 */
function scoreAsRead(score: number): number {
  const [digits = '', exponent = '0'] = String(Math.abs(score)).split('e');
  const [whole = '', fraction = ''] = digits.split('.');
  let power = Number(exponent) - fraction.length;
  let value = Number(whole + fraction);
  for (; power < -308; power += 308) value /= 1e308;
  value = power < 0 ? value / Number(`1e${-power}`) : value * Number(`1e${power}`);
  return score < 0 ? -value : value;
}

/** How much worse than the worst token an unknown character is. */
const unknownPenalty = 10;
/** In the best path, of what is not the beginning of it. */
const nowhere = -1;

export class UnigramModel implements Model {
  readonly #definition: UnigramDefinition;
  readonly #ids = new Map<string, number>();
  readonly #trie: Trie;
  readonly #scores: Float64Array;
  readonly #unknownScore: number;
  readonly #byteTokens: (number | undefined)[] | undefined;

  /** `reserved`: ids that text must never yield, except for what is unknown. */
  constructor(definition: UnigramDefinition, reserved: ReadonlySet<number>) {
    const { pieces, byteFallback } = definition;
    this.#definition = definition;
    for (const [id, [token]] of pieces.entries()) if (!reserved.has(id)) this.#ids.set(token, id);
    this.#trie = new Trie(this.#ids);
    this.#scores = Float64Array.from(pieces, ([, score]) => scoreAsRead(score));
    this.#unknownScore = this.#scores.reduce((least, score) => Math.min(least, score), Infinity) - unknownPenalty;
    if (byteFallback) this.#byteTokens = byteTokens(new Map(pieces.map(([token], id) => [token, id])));
  }

  tokenize(piece: string): PieceTokens {
    const tokens: PieceTokens = { ids: [], starts: [], ends: [] };
    const { starts, ids } = this.#bestPath(piece);
    const cuts: { start: number; end: number }[] = [];
    for (let end = piece.length; end > 0;) {
      const start = starts[end]!;
      const next = cuts.at(-1);
      const isUnknown = ids[end] === this.#definition.unkId;
      if (isUnknown && next?.start === end && ids[next.end] === this.#definition.unkId) next.start = start;
      else cuts.push({ start, end });
      end = start;
    }
    for (const { start, end } of cuts.reverse()) this.#add(tokens, piece, start, end);
    return tokens;
  }

  /** By place: where the last token of the best way to it begins, and which it is. */
  #bestPath(piece: string): { starts: Int32Array; ids: Int32Array } {
    const size = piece.length;
    const scores = new Float64Array(size + 1);
    const starts = new Int32Array(size + 1).fill(nowhere);
    const ids = new Int32Array(size + 1);
    const offer = (start: number, end: number, id: number, score: number): void => {
      const total = score + scores[start]!;
      if (starts[end] !== nowhere && !(total > scores[end]!)) return;
      scores[end] = total;
      starts[end] = start;
      ids[end] = id;
    };
    for (let start = 0; start < size;) {
      const next = start + widthAt(piece, start);
      let known = 0;
      this.#trie.forEachPrefix(piece, start, (end, id) => {
        offer(start, end, id, this.#scores[id]!);
        if (end === next) known++;
      });
      if (known === 0) offer(start, next, this.#unkId(), this.#unknownScore);
      start = next;
    }
    return { starts, ids };
  }

  #add(tokens: PieceTokens, piece: string, start: number, end: number): void {
    const text = piece.slice(start, end);
    const id = this.#ids.get(text);
    const bytes = id === undefined ? this.#bytesOf(text) : undefined;
    for (const each of bytes ?? [id ?? this.#unkId()]) {
      tokens.ids.push(each);
      tokens.starts.push(start);
      tokens.ends.push(end);
    }
  }

  #bytesOf(text: string): number[] | undefined {
    if (this.#byteTokens === undefined) return undefined;
    const ids: number[] = [];
    for (const byte of new TextEncoder().encode(text)) {
      const id = this.#byteTokens[byte];
      if (id === undefined) return undefined;
      ids.push(id);
    }
    return ids;
  }

  #unkId(): number {
    const { unkId } = this.#definition;
    if (unkId !== null) return unkId;
    throw new CrucibleError(
      'failed-precondition',
      'unk_id: the text has an unknown character, and there is no unk_id',
      {
        at: 'unk_id',
      },
    );
  }
}
