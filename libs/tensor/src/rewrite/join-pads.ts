import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { concat } from '../library/movement.ts';
import type { RewriteRule } from './rewrite.ts';

/**
 * A sum of tensors padded with zeros along one axis, whose parts lie side by side, is their concatenation. Such sums
 * are the gradients of `split`.
 */
export const joinPads: RewriteRule = (tensor, uses) => {
  if (!isPrimitive(tensor, 'add')) return undefined;
  const parts: Part[] = [];
  if (!collectParts(tensor, true, uses, parts)) return undefined;
  const axis = parts[0]!.axis;
  parts.sort((a, b) => a.start - b.start);
  let end = 0;
  for (const part of parts) {
    if (part.axis !== axis || part.start !== end) return undefined;
    end += part.content.shape[axis]!;
  }
  return end === tensor.shape[axis]
    ? concat(
        parts.map(({ content }) => content),
        axis,
      )
    : undefined;
};

interface Part {
  readonly content: Tensor;
  readonly axis: number;
  readonly start: number;
}

function collectParts(tensor: Tensor, isRoot: boolean, uses: (tensor: Tensor) => number, parts: Part[]): boolean {
  if (!isRoot && uses(tensor) > 1) return false;
  if (isPrimitive(tensor, 'add')) return tensor.inputs.every((input) => collectParts(input, false, uses, parts));
  if (!isPrimitive(tensor, 'pad') || tensor.inputs.length > 1) return false;
  const { before, after } = tensor.params;
  const padded = before.flatMap((n, axis) => (n > 0 || after[axis]! > 0 ? [axis] : []));
  if (padded.length !== 1) return false;
  parts.push({ content: tensor.inputs[0]!, axis: padded[0]!, start: before[padded[0]!]! });
  return true;
}
