/** Stories that tell numbers, each with the program that works out what follows from them, and what it gives. */
import type { Draw } from '../task.ts';
import { answerOf, drawStory, programOf } from '../tasks/calculation.ts';

export function drawPrograms(draw: Draw): string {
  const { story, calculation } = drawStory(draw);
  return `${story}\n${programOf(calculation)}\n# solution() is ${answerOf(calculation)}`;
}
