/** Sums and their results, most of them worked in columns, as an answer in steps works them. */
import { sumValue, workingLines } from '../columns.ts';
import type { Draw } from '../task.ts';
import { drawSum } from '../tasks/arithmetic.ts';

export function drawSums({ split, random }: Draw): string {
  const sums = Array.from({ length: random.integer(2, 5) }, () => {
    const sum = drawSum(split, random);
    const equation = `${sum.a} ${sum.operator} ${sum.b}`;
    const working = random.boolean(0.8) ? [`${equation}:`, ...workingLines(sum)] : [];
    return [...working, `${equation} = ${sumValue(sum)}`].join('\n');
  });
  return sums.join('\n');
}
