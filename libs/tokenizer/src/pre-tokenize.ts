/**
 * Pre-tokenizing: cutting text into the pieces within which merges happen. The configuration is that of tokenizer.json,
 * as far as byte-level models use it: any number of Split and Digits steps, and ByteLevel as the last one. (ByteLevel
 * also turns bytes into the byte alphabet; here that is the business of the vocabulary.)
 */
import { escapeSplitPattern, parseSplitPattern } from './split-pattern.ts';

interface SplitStep {
  readonly type: 'Split';
  readonly pattern: { readonly Regex: string } | { readonly String: string };
  /** Isolated: matches and what lies between them are pieces. Removed: only one of the two is kept, see `invert`. */
  readonly behavior: 'Isolated' | 'Removed';
  /** Matches are what is kept, rather than what separates; false keeps what lies between them. */
  readonly invert: boolean;
}

interface DigitsStep {
  readonly type: 'Digits';
  /** Every digit is a piece; otherwise every run of digits. */
  readonly individual_digits: boolean;
}

interface ByteLevelStep {
  readonly type: 'ByteLevel';
  readonly add_prefix_space: boolean;
  /** Concerns character offsets only, which we do not have. */
  readonly trim_offsets: boolean;
  /** Split with GPT-2's pattern. */
  readonly use_regex: boolean;
}

export type PreTokenizerStep = SplitStep | DigitsStep | ByteLevelStep;

/**
 * How our own models split. Llama 3's pattern with two changes: every digit is a piece of its own, so that arithmetic
 * can be learned; and it is spelled so that it means the same, unchanged, in JavaScript (flags `u` and `v`), in
 * Oniguruma and in Rust's fancy-regex (no `\s`, no inline flags).
 */
export const ownSplitPattern = [
  "'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])",
  '[^\\r\\n\\p{L}\\p{N}]?\\p{L}+',
  '\\p{N}',
  ' ?[^\\p{White_Space}\\p{L}\\p{N}]+[\\r\\n]*',
  '\\p{White_Space}*[\\r\\n]+',
  '\\p{White_Space}+(?!\\P{White_Space})',
  '\\p{White_Space}+',
].join('|');

export const ownPreTokenizer: readonly PreTokenizerStep[] = [
  { type: 'Split', pattern: { Regex: ownSplitPattern }, behavior: 'Isolated', invert: false },
  { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
];

/** Calls `emit` with every piece of `text`, in order. Pieces are never empty. */
export type PieceSplitter = (text: string, emit: (piece: string) => void) => void;

/**
 * Makes the splitter of a configuration. `exact`: nothing is added (add_prefix_space) or removed, so that the pieces are
 * the text. Throws SplitPatternError for a pattern that is not supported.
 */
export function createPieceSplitter(steps: readonly PreTokenizerStep[], options: { exact: boolean }): PieceSplitter {
  const splitters = steps.flatMap((step) => stepSplitters(step, options.exact));
  return splitters.reduceRight<PieceSplitter>(
    (next, splitter) => (text, emit) => splitter(text, (piece) => next(piece, emit)),
    (text, emit) => {
      if (text !== '') emit(text);
    },
  );
}

/** GPT-2's pattern, which ByteLevel uses where a model brings none of its own. */
const gpt2Pattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

function stepSplitters(step: PreTokenizerStep, exact: boolean): PieceSplitter[] {
  switch (step.type) {
    case 'Split': {
      const { pattern, behavior, invert } = step;
      const regex = parseSplitPattern('Regex' in pattern ? pattern.Regex : escapeSplitPattern(pattern.String));
      const all = exact || behavior === 'Isolated';
      return [createPatternSplitter(regex, { matches: all || invert, gaps: all || !invert })];
    }
    case 'Digits':
      return [isolating(step.individual_digits ? '\\p{N}' : '\\p{N}+')];
    case 'ByteLevel':
      return [
        ...(step.add_prefix_space && !exact ? [addPrefixSpace] : []),
        ...(step.use_regex ? [isolating(gpt2Pattern)] : []),
      ];
  }
}

function isolating(pattern: string): PieceSplitter {
  return createPatternSplitter(parseSplitPattern(pattern), { matches: true, gaps: true });
}

const addPrefixSpace: PieceSplitter = (text, emit) => emit(text.startsWith(' ') ? text : ` ${text}`);

/** Cuts at the matches of `pattern` (global) and keeps the matches, what lies between them, or both. */
function createPatternSplitter(pattern: RegExp, keep: { matches: boolean; gaps: boolean }): PieceSplitter {
  return (text, emit) => {
    let done = 0;
    pattern.lastIndex = 0;
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      const [matched] = match;
      if (keep.gaps && match.index > done) emit(text.slice(done, match.index));
      done = match.index + matched.length;
      if (matched === '') pattern.lastIndex += text.codePointAt(done)! > 0xffff ? 2 : 1;
      else if (keep.matches) emit(matched);
    }
    if (keep.gaps && done < text.length) emit(text.slice(done));
  };
}
