import { invalidInput } from '@crucible/foundation';
import { formatShape } from '../../shape.ts';
import type { FusedParams } from '../primitive.ts';
import type { TensorType } from '../tensor.ts';
import { expectDtype, expectShape, float, type TypeRules } from './rule.ts';

export const fusedTypes: TypeRules<keyof FusedParams> = {
  softmax: float,
  rmsNorm: ([x, weight], _params, primitive) => {
    expectShape(weight!, x!.shape.slice(-1), 'rmsNorm: weight');
    return expectDtype(x!, ['float32'], primitive);
  },
  inverseRms: rowStatistic,
  layerNorm: ([x, weight, bias], _params, primitive) => {
    expectShape(weight!, x!.shape.slice(-1), 'layerNorm: weight');
    expectShape(bias!, x!.shape.slice(-1), 'layerNorm: bias');
    return expectDtype(x!, ['float32'], primitive);
  },
  inverseStd: rowStatistic,
  rotary: ([x, positions, cos, sin], { heads }, primitive) => {
    expectDtype(x!, ['float32'], primitive);
    expectDtype(positions!, ['int32'], primitive);
    const [batch, time, width] = x!.shape;
    if (x!.shape.length !== 3 || width! % (2 * heads) !== 0) {
      throw invalidInput(`rotary: ${formatShape(x!.shape)} is not [batch, time, ${heads} heads of an even size]`);
    }
    expectShape(positions!, [batch!, time!], 'rotary: positions');
    expectShape(cos!, [cos!.shape[0]!, width! / heads / 2], 'rotary: cos');
    expectShape(sin!, cos!.shape, 'rotary: sin');
    return x!;
  },
  tokenLogProbability: (inputs, _params, primitive) => ({ shape: [tokens(inputs, primitive)], dtype: 'float32' }),
  tokenLogProbabilityGradient: (inputs, { by }, primitive) => {
    const [hidden, weight, , dy] = inputs;
    expectShape(dy!, [tokens(inputs, primitive)], `${primitive}: dy`);
    expectDtype(dy!, ['float32'], primitive);
    return by === 'hidden' ? hidden! : weight!;
  },
  likeliestToken: (inputs, _params, primitive) => ({ shape: [tokens(inputs, primitive)], dtype: 'int32' }),
};

/** How many tokens a head gets, of which the targets are checked where there are any. */
function tokens([hidden, weight, targets]: readonly TensorType[], primitive: string): number {
  expectDtype(hidden!, ['float32'], primitive);
  expectDtype(weight!, ['float32'], primitive);
  const [count, width] = hidden!.shape;
  if (hidden!.shape.length !== 2 || weight!.shape.length !== 2 || weight!.shape[1] !== width) {
    throw invalidInput(
      `${primitive}: hidden ${formatShape(hidden!.shape)} and weight ${formatShape(weight!.shape)} are not [n, d] and [v, d]`,
    );
  }
  if (targets) {
    expectDtype(targets, ['int32'], primitive);
    expectShape(targets, [count!], `${primitive}: targets`);
  }
  return count!;
}

function rowStatistic([x]: readonly TensorType[], _params: unknown, primitive: string): TensorType {
  expectDtype(x!, ['float32'], primitive);
  return { shape: [...x!.shape.slice(0, -1), 1], dtype: 'float32' };
}
