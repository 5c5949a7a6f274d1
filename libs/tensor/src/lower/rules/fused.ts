import type { FusedParams } from '../../ir/primitive.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { isPlainNorm } from '../../rewrite/share-norm.ts';
import { type AttributeValue, FloatAttribute, microsoft, type OnnxWriter } from '../onnx-writer.ts';
import { type OnnxRules, operator, toInt64 } from './rule.ts';

export const fusedOnnx: OnnxRules<keyof FusedParams> = {
  softmax: operator('Softmax', { axis: -1 }),
  rmsNorm: (onnx, tensor, inputs) => norm(onnx, 'SimplifiedLayerNormalization', tensor, inputs),
  inverseRms: (onnx, tensor, [x]) => plainNorm(onnx, 'SimplifiedLayerNormalization', tensor, x!)[1]!,
  layerNorm: (onnx, tensor, inputs) => norm(onnx, 'LayerNormalization', tensor, inputs),
  inverseStd: (onnx, tensor, [x]) => plainNorm(onnx, 'LayerNormalization', tensor, x!)[2]!,
  rotary: (onnx, { params }, [x, positions, cos, sin]) =>
    onnx.op('RotaryEmbedding', [x!, toInt64(onnx, positions!), cos!, sin!], {
      domain: microsoft,
      attributes: { num_heads: params.heads },
    }),
  tokenLogProbability: writtenBefore,
  tokenLogProbabilityGradient: writtenBefore,
  likeliestToken: writtenBefore,
};

function writtenBefore(_onnx: OnnxWriter, { primitive }: Tensor): never {
  throw new Error(`internal: ${primitive} was not written out in blocks (rewrite/token-blocks.ts)`);
}

type NormOperator = 'LayerNormalization' | 'SimplifiedLayerNormalization';
type NormPrimitive = 'layerNorm' | 'inverseStd' | 'rmsNorm' | 'inverseRms';

function norm(onnx: OnnxWriter, operator: NormOperator, tensor: Tensor<NormPrimitive>, inputs: readonly string[]) {
  if (isPlainNorm(tensor)) return plainNorm(onnx, operator, tensor, inputs[0]!)[0]!;
  return onnx.op(operator, inputs, { attributes: normalisation(tensor.params.epsilon) });
}

/** All results of a normalisation with weight 1: one node gives the normalised rows and what they were multiplied by. */
function plainNorm(onnx: OnnxWriter, operator: NormOperator, { params, inputs }: Tensor<NormPrimitive>, x: string) {
  return onnx.sharedNode(operator, [x, onnx.filled(1, inputs[0]!.shape.at(-1)!)], {
    attributes: normalisation(params.epsilon),
    outputs: operator === 'LayerNormalization' ? 3 : 2,
  });
}

function normalisation(epsilon: number): Record<string, AttributeValue> {
  return { axis: -1, epsilon: new FloatAttribute(epsilon) };
}
