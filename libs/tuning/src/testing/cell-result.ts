/** For tests: a result as if it had been measured. */
import type { Cell, CellResult, ModelRole } from '../compare/comparison.ts';
import { classificationFigures } from '../metrics.ts';

export interface ResultForTest extends Partial<Cell> {
  readonly role?: ModelRole;
  /** `1` where it was right; the right labels are 0 and 1 by turns. */
  readonly right?: string;
  readonly more?: Partial<CellResult>;
}

/** By default that of a prompt for an encoder, with 16 examples of each label. */
export function cellResult({ role = 'encoder', right = '10', more, ...cell }: ResultForTest): CellResult {
  const labels = Array.from(right, (_one, i) => i % 2);
  const probabilities = Array.from(right, (one, i) => (i % 2 === Number(one !== '1') ? [1, 0] : [0, 1]));
  return {
    cell: { part: 'curve', model: 'enc@1', method: 'prompt', shots: 16, seed: 1, rate: 1, ...cell },
    model: role,
    figures: classificationFigures(probabilities, labels),
    right,
    ...{ learningRate: 0.001, steps: 40, trainedParameters: 1000, allParameters: 1000, trainSeconds: 1.5, seconds: 2 },
    ...more,
  };
}
