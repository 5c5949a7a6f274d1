/** Passages in a prompt, numbered from 1, one a line: `[1] The mayor of Tamova is Belan Galder.` */
export function numberedPassages(passages: readonly string[]): string {
  return passages.map((passage, i) => `[${i + 1}] ${passage}`).join('\n');
}
