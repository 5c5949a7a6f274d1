import { invalidInput } from '@crucible/foundation';
import { printType } from '../ir/print.ts';
import type { Tensor } from '../ir/tensor.ts';
import { identityMatrix } from '../library/creation.ts';
import { scan } from '../library/control.ts';
import { reshape } from '../library/movement.ts';
import { sizeOf } from '../shape.ts';
import { gradient, pullback } from './gradient.ts';

/** The derivative of every element of y by every element of x: [...y, ...x]. One pass backwards an element of y, in a loop. */
export function jacobian(y: Tensor, x: Tensor): Tensor {
  if (y.dtype !== 'float32') throw invalidInput(`jacobian: ${printType(y)} is not of float32`);
  const directions = identityMatrix(y.graph, sizeOf(y.shape));
  const { outputs } = scan(
    (carry: object, direction: Tensor) => ({ carry, output: pullback(y, reshape(direction, y.shape), x) }),
    {},
    directions,
  );
  return reshape(outputs, [...y.shape, ...x.shape]);
}

/** The second derivatives of a scalar `loss` by every two elements of x: [...x, ...x]. */
export function hessian(loss: Tensor, x: Tensor): Tensor {
  return jacobian(gradient(loss, x), x);
}
