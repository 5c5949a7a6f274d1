/** For tests: every primitive with operands to try it on, drawn at random. */
import { fromBinary } from '@bufbuild/protobuf';
import type { Random } from '@crucible/foundation';
import type { Device } from '../device.ts';
import { createHostArray } from '../dtype.ts';
import { Graph, type Program } from '../ir/graph.ts';
import type { Primitive } from '../ir/primitive.ts';
import type { Tensor } from '../ir/tensor.ts';
import { cast } from '../library/elementwise.ts';
import { concat, reshape } from '../library/movement.ts';
import { ModelProtoSchema } from '../lower/generated/onnx_pb.ts';
import { lowerProgram } from '../lower/lower.ts';
import type { NdArray } from '../nd-array.ts';
import { Session } from '../runtime/session.ts';
import { sizeOf } from '../shape.ts';
import { controlCases } from './cases/control.ts';
import { convolutionCases } from './cases/convolution.ts';
import { elementwiseCases } from './cases/elementwise.ts';
import { fusedCases } from './cases/fused.ts';
import { indexingCases } from './cases/indexing.ts';
import { leafCases } from './cases/leaf.ts';
import { linalgCases } from './cases/linalg.ts';
import { movementCases } from './cases/movement.ts';
import { reductionCases } from './cases/reduction.ts';
import { type Case, type Cases, type Operand, uniform } from './cases/row.ts';

export type { Case, Operand, Row } from './cases/row.ts';

/** Every primitive; one that is missing does not compile. */
export const primitiveCases: Cases<Primitive> = {
  ...leafCases,
  ...elementwiseCases,
  ...reductionCases,
  ...linalgCases,
  ...movementCases,
  ...indexingCases,
  ...convolutionCases,
  ...controlCases,
  ...fusedCases,
};

function drawOperand({ shape, dtype = 'float32', draw = uniform(-2, 2) }: Operand, random: Random): NdArray {
  const data = createHostArray(dtype, sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = draw(random, i);
  return { dtype, shape, data };
}

export interface TracedCase {
  readonly inputs: Tensor<'input'>[];
  /** The results of the primitive; most have one. */
  readonly results: readonly Tensor[];
  /** The result; of several, all elements side by side. */
  readonly y: Tensor;
  readonly feeds: Record<string, NdArray>;
}

/** A program of one primitive, with inputs drawn for it. */
export function traceCase<P extends Primitive>(
  primitive: P,
  { params, operands }: Case<P>,
  random: Random,
): TracedCase {
  const graph = new Graph();
  const feeds: Record<string, NdArray> = {};
  const inputs = operands.map((operand, i) => {
    const name = `x${i}`;
    feeds[name] = drawOperand(operand, random);
    return graph.input(name, operand.shape, operand.dtype ?? 'float32');
  });
  const node = graph.node(primitive, inputs, params);
  if (!node.parts) return { inputs, results: [node], y: node, feeds };
  const results = node.parts.map((_type, index) => graph.node('part', [node], { index }));
  const y = concat(
    results.map((result) => reshape(cast(result, 'float32'), [-1])),
    0,
  );
  return { inputs, results, y, feeds };
}

/** The ONNX operators of a program as it is lowered, in their order; those of Microsoft's domain have a star. */
export function operatorsOf(program: Program): string[] {
  const { node } = fromBinary(ModelProtoSchema, lowerProgram(program).model).graph!;
  return node.map(({ opType, domain }) => (domain === '' ? opType : `${opType}*`));
}

export async function runOnOnnx(
  program: Program,
  feeds: Record<string, NdArray>,
  device: Device = 'cpu',
): Promise<NdArray[]> {
  const lowered = lowerProgram(program, device);
  const session = await Session.create(lowered.model, { threads: 1, device });
  try {
    return (await session.run(feeds, lowered.outputs)) as NdArray[];
  } finally {
    await session.dispose();
  }
}
