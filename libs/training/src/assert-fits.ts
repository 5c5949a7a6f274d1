import { invalidInput } from '@crucible/foundation';
import type { DecoderSizes } from '@crucible/nn';

/** Throws unless a stage's rows are within what the model can read. */
export function assertFits(
  stage: string,
  { time }: { readonly time: number },
  { maxPositions }: Pick<DecoderSizes, 'maxPositions'>,
): void {
  if (time <= maxPositions) return;
  throw invalidInput(`${stage}: rows of ${time} tokens are longer than the model's context of ${maxPositions}`, {
    at: `${stage}.time`,
  });
}
