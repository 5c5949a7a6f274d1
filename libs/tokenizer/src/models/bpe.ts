/** Byte-pair encoding: the characters of a piece are joined by merges. */
import { CrucibleError } from '@crucible/foundation';
import { widthAt } from '../aligned-text.ts';
import type { JsonField } from '../json-field.ts';
import { type Merge, MergeTable, mergeTokens } from './merge.ts';
import { byteTokens, type Model, type PieceTokens } from './model.ts';
import { parseVocab } from './parse-vocab.ts';

export interface BpeDefinition {
  readonly type: 'BPE';
  readonly vocab: ReadonlyMap<string, number>;
  /** By rank, the first the strongest. */
  readonly merges: readonly Merge[];
  /** Stands for characters that are not in the vocabulary; without it they are left out. */
  readonly unkToken: string | null;
  /** Begins tokens that do not begin a piece. */
  readonly continuingSubwordPrefix: string | null;
  /** Ends tokens that end a piece. */
  readonly endOfWordSuffix: string | null;
  /** Neighbouring unknown characters are one. */
  readonly fuseUnk: boolean;
  /** Characters that are not in the vocabulary are written byte by byte, as `<0x0A>`, if all of these are. */
  readonly byteFallback: boolean;
  /** A piece that is a token as it stands becomes that token, whatever the merges say. */
  readonly ignoreMerges: boolean;
}

export function parseBpe(field: JsonField): BpeDefinition {
  const dropout = field.get('dropout');
  if (!dropout.isAbsent && !(typeof dropout.value === 'number' && dropout.value >= 0 && dropout.value <= 1)) {
    throw dropout.error('is not a share from 0 to 1');
  }
  const vocab = parseVocab(field.get('vocab'));
  const continuingSubwordPrefix = field.get('continuing_subword_prefix').stringOrNull();
  return {
    type: 'BPE',
    vocab,
    merges: parseMerges(field.get('merges'), vocab, continuingSubwordPrefix ?? ''),
    unkToken: field.get('unk_token').stringOrNull(),
    continuingSubwordPrefix,
    endOfWordSuffix: field.get('end_of_word_suffix').stringOrNull(),
    fuseUnk: field.get('fuse_unk').boolean(false),
    byteFallback: field.get('byte_fallback').boolean(false),
    ignoreMerges: field.get('ignore_merges').boolean(false),
  };
}

export function formatBpe(definition: BpeDefinition): object {
  const tokens = new Map(Array.from(definition.vocab, ([token, id]) => [id, token]));
  return {
    type: 'BPE',
    dropout: null,
    unk_token: definition.unkToken,
    continuing_subword_prefix: definition.continuingSubwordPrefix,
    end_of_word_suffix: definition.endOfWordSuffix,
    fuse_unk: definition.fuseUnk,
    byte_fallback: definition.byteFallback,
    ignore_merges: definition.ignoreMerges,
    vocab: Object.fromEntries(definition.vocab),
    merges: definition.merges.map(({ left, right }) => [tokens.get(left), tokens.get(right)]),
  };
}

function parseMerges(field: JsonField, vocab: ReadonlyMap<string, number>, prefix: string): Merge[] {
  return field.items().flatMap((item) => {
    // A line of merges.txt that found its way here.
    if (typeof item.value === 'string' && item.value.startsWith('#version')) return [];
    const [left, right] = parsePair(item);
    const id = (token: string): number => {
      const found = vocab.get(token);
      if (found === undefined) throw item.error(`${JSON.stringify(token)} is not in model.vocab`);
      return found;
    };
    return { left: id(left), right: id(right), merged: id(left + right.slice(prefix.length)) };
  });
}

/** A merge is a pair, or (before tokenizers 0.20) a string with a space in the middle. */
function parsePair(item: JsonField): [string, string] {
  const parts = typeof item.value === 'string' ? item.value.split(' ') : item.items().map((part) => part.string());
  const [left, right] = parts;
  if (parts.length !== 2 || !left || !right) throw item.error('is not two tokens');
  return [left, right];
}

const utf8 = new TextEncoder();

export class BpeModel implements Model {
  /** A piece may be cut before this character, after another one, and the tokens are the same. */
  readonly cutBefore: string | undefined;
  readonly #definition: BpeDefinition;
  readonly #vocab: ReadonlyMap<string, number>;
  readonly #merges: MergeTable;
  readonly #byteTokens: (number | undefined)[] | undefined;

  /** `reserved`: ids that text must never yield, though the vocabulary or the merges would lead to them. */
  constructor(definition: BpeDefinition, reserved: ReadonlySet<number>) {
    this.#definition = definition;
    this.#vocab =
      reserved.size === 0 ? definition.vocab : new Map([...definition.vocab].filter(([, id]) => !reserved.has(id)));
    this.#merges = new MergeTable(definition.merges.filter(({ merged }) => !reserved.has(merged)));
    if (definition.byteFallback) this.#byteTokens = byteTokens(definition.vocab);
    if (mayBeCut(definition, spaceMark)) this.cutBefore = spaceMark;
  }

  tokenize(piece: string): PieceTokens {
    const { ignoreMerges, fuseUnk } = this.#definition;
    const prefix = this.#definition.continuingSubwordPrefix ?? '';
    const suffix = this.#definition.endOfWordSuffix ?? '';
    if (ignoreMerges) {
      const id = this.#vocab.get(piece);
      if (id !== undefined) return { ids: [id], starts: [0], ends: [piece.length] };
    }
    const tokens: PieceTokens = { ids: [], starts: [], ends: [] };
    let unknown: { start: number; end: number } | undefined;
    const add = (id: number, start: number, end: number): void => {
      tokens.ids.push(id);
      tokens.starts.push(start);
      tokens.ends.push(end);
    };
    const addUnknown = (): void => {
      if (unknown !== undefined) add(this.#unkId(), unknown.start, unknown.end);
      unknown = undefined;
    };
    for (let start = 0; start < piece.length;) {
      const end = start + widthAt(piece, start);
      let symbol = piece.slice(start, end);
      if (start > 0) symbol = prefix + symbol;
      if (end === piece.length) symbol += suffix;
      const id = this.#vocab.get(symbol);
      if (id !== undefined) {
        addUnknown();
        add(id, start, end);
      } else {
        const bytes = this.#bytesOf(symbol);
        if (bytes !== undefined) {
          for (const each of bytes) add(each, start, end);
        } else if (this.#definition.unkToken !== null) {
          if (unknown !== undefined && fuseUnk) {
            unknown.end = end;
          } else {
            addUnknown();
            unknown = { start, end };
          }
        }
      }
      start = end;
    }
    addUnknown();
    mergeTokens(tokens, this.#merges);
    return tokens;
  }

  #bytesOf(symbol: string): number[] | undefined {
    if (this.#byteTokens === undefined) return undefined;
    const ids: number[] = [];
    for (const byte of utf8.encode(symbol)) {
      const id = this.#byteTokens[byte];
      if (id === undefined) return undefined;
      ids.push(id);
    }
    return ids;
  }

  #unkId(): number {
    const { unkToken, vocab } = this.#definition;
    const id = vocab.get(unkToken!);
    if (id === undefined) throw missingUnk(unkToken!);
    return id;
  }
}

/** What a text needs that has something the vocabulary lacks. */
export function missingUnk(unkToken: string): CrucibleError {
  return new CrucibleError(
    'failed-precondition',
    `unk_token: the text has what is not in the vocabulary, and so is ${JSON.stringify(unkToken)}, which stands for it`,
    { at: 'unk_token' },
  );
}

/** How sentencepiece writes a space: it begins a word, and hardly ever is within a token. */
const spaceMark = '\u2581';

/** Whether no merge joins `mark` to another character before it. */
function mayBeCut(definition: BpeDefinition, mark: string): boolean {
  const { vocab, merges, ignoreMerges, continuingSubwordPrefix, endOfWordSuffix } = definition;
  if (!vocab.has(mark) || ignoreMerges || continuingSubwordPrefix || endOfWordSuffix) return false;
  const tokens = new Map(Array.from(vocab, ([token, id]) => [id, token]));
  return !merges.some(({ merged }) => new RegExp(`[^${mark}]${mark}`).test(tokens.get(merged)!));
}
