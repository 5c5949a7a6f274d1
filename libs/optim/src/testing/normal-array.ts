import type { Random } from '@crucible/foundation';
import { type FloatArray, floats, sizeOf, type Shape } from '@crucible/tensor';

/** Normal numbers of the given standard deviation. */
export function normalArray(shape: Shape, random: Random, deviation = 1): FloatArray {
  return floats(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal() * deviation),
  );
}
