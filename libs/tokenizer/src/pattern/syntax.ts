/** What a pattern of tokenizer.json says, as a tree. */

export type PatternNode =
  /** One code point, given by the source of a class of JavaScript's regular expressions (flag `v`). */
  | { readonly kind: 'class'; readonly source: string }
  /** One code point that stands for itself. */
  | { readonly kind: 'character'; readonly code: number }
  | { readonly kind: 'sequence'; readonly items: readonly PatternNode[] }
  /** The first option that leads to a match. */
  | { readonly kind: 'choice'; readonly options: readonly PatternNode[] }
  | {
      readonly kind: 'repeat';
      readonly body: PatternNode;
      readonly min: number;
      /** May be Infinity. */
      readonly max: number;
      /** Possessive: as much as possible, and never less afterwards. */
      readonly mode: 'greedy' | 'lazy' | 'possessive';
    }
  /** Whether `body` matches from here on, or up to here; matches nothing itself. */
  | { readonly kind: 'look'; readonly ahead: boolean; readonly negative: boolean; readonly body: PatternNode }
  /** The first match of `body`; no other is tried afterwards. */
  | { readonly kind: 'atomic'; readonly body: PatternNode }
  | { readonly kind: 'anchor'; readonly at: Anchor };

export type Anchor =
  | 'textStart'
  | 'textEnd'
  /** The end, or before the line feed that is the last character. */
  | 'lastLineEnd'
  | 'lineStart'
  | 'lineEnd'
  | 'wordEdge'
  | 'notWordEdge';

/** Why a pattern cannot be used; the message names the construct. */
export class PatternError extends Error {}
