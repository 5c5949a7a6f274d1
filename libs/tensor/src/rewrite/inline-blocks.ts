import { inlineProgram } from '../ir/subprogram.ts';
import { isPrimitive } from '../ir/tensor.ts';
import type { RewriteRule } from './rewrite.ts';

/** Once everything is differentiated, what a mark was set on is as any other part of the program. */
export const inlineBlocks: RewriteRule = (tensor) => {
  if (!isPrimitive(tensor, 'part')) return undefined;
  const [block] = tensor.inputs;
  const { index } = tensor.params;
  if (isPrimitive(block!, 'checkpoint')) return inlineProgram(block.params.body, block.inputs, tensor.graph)[index];
  return isPrimitive(block!, 'customGradient') ? block.inputs[index] : undefined;
};
