/** Texts as answers, compared as SQuAD and HotpotQA do. */

/** Lower case, without punctuation and articles, single spaces. */
export function normalizeText(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\p{P}\p{S}]/gu, '')
    .replace(/\b(?:a|an|the)\b/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Answers that share no words with their neighbours: of these, a part is not worth anything (HotpotQA's own rule). */
const whole: ReadonlySet<string> = new Set(['yes', 'no', 'noanswer']);

/** Precision and recall of words, and their harmonic mean, 0 to 1. */
export function textF1(
  given: string,
  right: string,
): { readonly f1: number; readonly precision: number; readonly recall: number } {
  const none = { f1: 0, precision: 0, recall: 0 };
  const [a, b] = [normalizeText(given), normalizeText(right)];
  if ((whole.has(a) || whole.has(b)) && a !== b) return none;
  const [givenWords, rightWords] = [wordsOf(a), wordsOf(b)];
  const left = new Map<string, number>();
  for (const word of rightWords) left.set(word, (left.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of givenWords) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    common++;
  }
  if (common === 0) return none;
  const precision = common / givenWords.length;
  const recall = common / rightWords.length;
  return { f1: (2 * precision * recall) / (precision + recall), precision, recall };
}

function wordsOf(normalized: string): string[] {
  return normalized === '' ? [] : normalized.split(' ');
}
