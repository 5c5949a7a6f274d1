/** How near an answer is to a reference: exact match and word F1, normalised as SQuAD's metrics are (Rajpurkar et al. 2016). */
export function answerScores(answer: string, reference: string): { readonly exact: number; readonly f1: number } {
  const [given, wanted] = [words(answer), words(reference)];
  if (given.length === 0 || wanted.length === 0) {
    const same = Number(given.length === wanted.length);
    return { exact: same, f1: same };
  }
  const left = new Map<string, number>();
  for (const word of wanted) left.set(word, (left.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of given) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    common++;
  }
  const exact = Number(given.join(' ') === wanted.join(' '));
  if (common === 0) return { exact, f1: 0 };
  const [precision, recall] = [common / given.length, common / wanted.length];
  return { exact, f1: (2 * precision * recall) / (precision + recall) };
}

/** Lower case, without punctuation and articles. */
function words(text: string): string[] {
  return text
    .toLowerCase()
    .replace(/[\p{P}\p{S}]/gu, '')
    .split(/\s+/)
    .filter((word) => word !== '' && word !== 'a' && word !== 'an' && word !== 'the');
}
