/** What becomes of the matches that a text is cut at. */

/**
 * Removed: they go. Isolated: each is a piece. Contiguous: each run of neighbouring matches is a piece.
 * MergedWithPrevious, MergedWithNext: each is the end, or the beginning, of the piece beside it.
 */
export const splitBehaviors = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
export type SplitBehavior = (typeof splitBehaviors)[number];

type Emit = (start: number, end: number) => void;

/** Takes, in order and without gaps, the parts of a text that are matches and those that are none. */
export interface Pieces {
  add(start: number, end: number, isMatch: boolean): void;
  /** There are no more parts. */
  finish(): void;
}

/** Calls `emit` with every piece that is not empty. */
export function createPieces(behavior: SplitBehavior, emit: Emit): Pieces {
  const emitFilled: Emit = (start, end) => {
    if (end > start) emit(start, end);
  };
  switch (behavior) {
    case 'Removed':
      return {
        add: (start, end, isMatch) => {
          if (!isMatch) emitFilled(start, end);
        },
        finish: () => undefined,
      };
    case 'Isolated':
      return { add: emitFilled, finish: () => undefined };
    case 'Contiguous':
      return joining(emitFilled, (isMatch, before) => isMatch === before);
    case 'MergedWithPrevious':
      return joining(emitFilled, (isMatch, before) => isMatch && !before);
    case 'MergedWithNext':
      return joining(emitFilled, (isMatch, before) => !isMatch && before);
  }
}

/** Joins a part to what came before where `joins` says so of the two. */
function joining(emit: Emit, joins: (isMatch: boolean, before: boolean) => boolean): Pieces {
  let open: { start: number; end: number; isMatch: boolean } | undefined;
  return {
    add: (start, end, isMatch) => {
      if (open !== undefined && joins(isMatch, open.isMatch)) {
        open = { start: open.start, end, isMatch };
        return;
      }
      if (open !== undefined) emit(open.start, open.end);
      open = { start, end, isMatch };
    },
    finish: () => {
      if (open !== undefined) emit(open.start, open.end);
    },
  };
}
