/** Whether what a model is tested on occurs in what it was trained on. */

/** Texts with fewer words are not looked for in running text: they may well stand there by chance. */
const fewestWords = 5;

export interface Contamination {
  /** Examples that were looked for. */
  readonly examined: number;
  /** Indices of the examples that were found. */
  readonly found: readonly number[];
}

/**
 * Looks for test texts in other texts, word by word, whatever their punctuation, case and spaces. `whole`: only texts that
 * are the same as a whole count, as between sets of examples; otherwise also those within a longer text, as in a corpus.
 */
export function findContamination(
  tests: readonly string[],
  sources: Iterable<string>,
  { whole }: { readonly whole: boolean },
): Contamination {
  const wanted = tests.map(wordsOf);
  const isExamined = (words: readonly string[]): boolean => words.length >= (whole ? 1 : fewestWords);
  const found = new Set<number>();
  const byKey = new Map<string, number[]>();
  wanted.forEach((words, i) => {
    if (!isExamined(words)) return;
    const key = whole ? words.join(' ') : words.slice(0, fewestWords).join(' ');
    byKey.set(key, [...(byKey.get(key) ?? []), i]);
  });
  for (const source of sources) {
    const words = wordsOf(source);
    if (whole) {
      for (const i of byKey.get(words.join(' ')) ?? []) found.add(i);
      continue;
    }
    for (let start = 0; start + fewestWords <= words.length; start++) {
      for (const i of byKey.get(words.slice(start, start + fewestWords).join(' ')) ?? []) {
        if (wanted[i]!.every((word, n) => words[start + n] === word)) found.add(i);
      }
    }
  }
  return { examined: wanted.filter(isExamined).length, found: [...found].sort((a, b) => a - b) };
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}
