/** What a text, or a pair of texts, is for a model. All lists are as long as `ids`. */
export interface Encoding {
  readonly ids: number[];
  /** Which text each token is of: 0, of a pair 1 too, and null for tokens that post-processing added. */
  readonly sequences: (0 | 1 | null)[];
  /** What of its text each token stands for: indices of UTF-16 code units, as `slice` takes them; or [0, 0]. */
  readonly offsets: (readonly [start: number, end: number])[];
  /** Which segment each token is of, for models that were trained on pairs. */
  readonly typeIds: number[];
  /** 1 for tokens that post-processing added, such as `[CLS]`; 0 for tokens of the text, special or not. */
  readonly specialTokensMask: number[];
}

/** On the way through post-processing. */
export interface Draft extends Encoding {
  /** What the tokens look like. */
  readonly tokens: string[];
  /** The text that the offsets are in. */
  readonly source: string;
}

export function emptyDraft(source: string): Draft {
  return { ids: [], sequences: [], offsets: [], typeIds: [], specialTokensMask: [], tokens: [], source };
}

/** With the source of the first. */
export function joinDrafts(drafts: readonly Draft[]): Draft {
  return {
    source: drafts[0]?.source ?? '',
    ids: drafts.flatMap(({ ids }) => ids),
    sequences: drafts.flatMap(({ sequences }) => sequences),
    offsets: drafts.flatMap(({ offsets }) => offsets),
    typeIds: drafts.flatMap(({ typeIds }) => typeIds),
    specialTokensMask: drafts.flatMap(({ specialTokensMask }) => specialTokensMask),
    tokens: drafts.flatMap(({ tokens }) => tokens),
  };
}

/** A token that post-processing adds. */
export function addedDraft(ids: readonly number[], tokens: readonly string[], typeId: number): Draft {
  return {
    ids: [...ids],
    sequences: ids.map(() => null),
    offsets: ids.map(() => [0, 0]),
    typeIds: ids.map(() => typeId),
    specialTokensMask: ids.map(() => 1),
    tokens: [...tokens],
    source: '',
  };
}
