/**
 * The normalization forms of Unicode as the reference knows them (version 9), with the account of what became of each
 * character that alignment needs.
 */
import type { AlignedText } from '../aligned-text.ts';
import { classOf } from './versions.ts';

export const normalizationForms = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const;
export type NormalizationForm = (typeof normalizationForms)[number];

const inert = new RegExp(classOf.assignedSinceUnicode10, 'v');
const untilInert = new RegExp(`${classOf.assignedSinceUnicode10}|[^${classOf.assignedSinceUnicode10}]+`, 'gv');

/** A character that Unicode 9 did not have ends what was before, and takes no part in anything. */
function normalizedText(text: string, form: NormalizationForm): string {
  if (!inert.test(text)) return text.normalize(form);
  return text.replace(untilInert, (part) => (inert.test(part) ? part : part.normalize(form)));
}

export function normalized(old: AlignedText, form: NormalizationForm): AlignedText {
  return old.rewritten(normalizedText(old.text, form), (rewriting) => {
    const decomposed = decompositions(old.text, form.includes('K') ? 'NFKD' : 'NFD');
    const steps = form.endsWith('C') ? recompositions(decomposed) : decomposed;
    for (const { character, change } of steps) rewriting.add(character, change);
  });
}

/** A character of the new text; `change` is that of Rewriting. */
interface Step {
  readonly character: string;
  readonly change: number;
}

/** Every character by what it decomposes to; marks in their order, stably. */
function* decompositions(text: string, form: 'NFD' | 'NFKD'): Generator<Step> {
  let marks: Step[] = [];
  for (const character of text) {
    const parts = inert.test(character) ? character : character.normalize(form);
    let change = 0;
    for (const part of parts) {
      if (combiningRank(part) === 0) {
        yield* marks.sort((a, b) => combiningRank(a.character) - combiningRank(b.character));
        yield { character: part, change };
        marks = [];
      } else {
        marks.push({ character: part, change });
      }
      change = 1;
    }
  }
  yield* marks.sort((a, b) => combiningRank(a.character) - combiningRank(b.character));
}

/** Composes each starter with what follows it and is not blocked. */
function* recompositions(steps: Iterable<Step>): Generator<Step> {
  let starter: Step | undefined;
  let blocked: Step[] = [];
  let lastRank: number | undefined;
  for (const step of steps) {
    const rank = combiningRank(step.character);
    if (starter === undefined) {
      if (rank === 0) starter = step;
      else yield step;
      continue;
    }
    if (lastRank === undefined || lastRank < rank) {
      const composed = compose(starter.character, step.character);
      if (composed !== undefined) {
        starter = { character: composed, change: starter.change + step.change - 1 };
        continue;
      }
    }
    if (rank === 0) {
      yield starter;
      yield* blocked;
      starter = step;
      blocked = [];
      lastRank = undefined;
    } else {
      blocked.push(step);
      lastRank = rank;
    }
  }
  if (starter !== undefined) yield starter;
  yield* blocked;
}

function compose(first: string, second: string): string | undefined {
  if (inert.test(first) || inert.test(second)) return undefined;
  const composed = (first + second).normalize('NFC');
  return Array.from(composed).length === 1 ? composed : undefined;
}

/** One mark of every combining class that Unicode 9 has, in the order of the classes. */
const markOfClass = Array.from(
  '\u0334\u093c\u3099\u094d\u05b0\u05b1\u05b2\u05b3\u05b4\u05b5\u05b6\u05b7\u05b8\u05b9\u05bb\u05bc\u05bd\u05bf\u05c1' +
    '\u05c2\ufb1e\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0670\u0711\u0c55\u0c56\u0e38\u0e48\u0eb8\u0ec8\u0f71' +
    '\u0f72\u0f74\u0321\u1dce\u031b\u302a\u0316\u059a\u302e\u{1d16d}\u05ae\u0300\u0315\u035c\u035d\u0345',
);
const rankOfMark = new Map<string, number>();

/** 0 for a starter; otherwise ordered as the combining classes are. Found by watching how marks change places. */
function combiningRank(character: string): number {
  if (character < '\u0300') return 0;
  const known = rankOfMark.get(character);
  if (known !== undefined) return known;
  const goesBefore = (mark: string): boolean => {
    const pair = mark + character;
    return pair.normalize('NFD') !== pair && pair.normalize('NFD') === character + mark;
  };
  let rank = 0;
  const isMark =
    !inert.test(character) &&
    (goesBefore('\u0345') ||
      (`${character}\u0334`.normalize('NFD') === `\u0334${character}` && character !== '\u0334'));
  if (isMark) {
    rank = markOfClass.findIndex(goesBefore);
    if (rank < 0) rank = markOfClass.length;
  }
  rankOfMark.set(character, rank);
  return rank;
}
