/** Sentences of a text, and where they stand. */

export interface Sentence {
  readonly text: string;
  /** In characters: [start, end), without the white space around it. */
  readonly start: number;
  readonly end: number;
}

const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });

/** What ends in a full stop without ending a sentence: initials, titles, and their like. */
const abbreviation =
  /(?:^|[\s("'[])(?:\p{Lu}|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Gen|Col|Lt|Sgt|Capt|Rev|Hon|vs|etc|No|Vol|approx|ca|c|e\.g|i\.e|(?:\p{L}\.)+\p{L})\.$/u;

export function sentencesOf(text: string): Sentence[] {
  const sentences: Sentence[] = [];
  let start = 0;
  for (const { segment, index } of segmenter.segment(text)) {
    const end = index + segment.length;
    if (end < text.length && abbreviation.test(text.slice(start, end).trimEnd()) && !/\n\s*$/.test(segment)) continue;
    const part = text.slice(start, end);
    const trimmed = part.trim();
    if (trimmed !== '') {
      const from = start + part.indexOf(trimmed);
      sentences.push({ text: trimmed, start: from, end: from + trimmed.length });
    }
    start = end;
  }
  return sentences;
}
