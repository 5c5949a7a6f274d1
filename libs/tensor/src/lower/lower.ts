/** Turns a program into an ONNX model: one rule per primitive. */
import { topologicalOrder, type Program } from '../ir/graph.ts';
import type { Primitive } from '../ir/primitive.ts';
import type { Tensor } from '../ir/tensor.ts';
import { OnnxWriter } from './onnx-writer.ts';
import { convolutionOnnx } from './rules/convolution.ts';
import { elementwiseOnnx } from './rules/elementwise.ts';
import { fusedOnnx } from './rules/fused.ts';
import { indexingOnnx } from './rules/indexing.ts';
import { leafOnnx } from './rules/leaf.ts';
import { linalgOnnx } from './rules/linalg.ts';
import { movementOnnx } from './rules/movement.ts';
import { reductionOnnx } from './rules/reduction.ts';
import type { OnnxRule, OnnxRules } from './rules/rule.ts';

export interface LoweredProgram {
  /** A serialised ONNX model. */
  readonly model: Uint8Array;
  /** Names of the results, in the program's order. Inputs keep their own names. */
  readonly outputs: readonly string[];
  readonly nodeCount: number;
}

export function lowerProgram(program: Program): LoweredProgram {
  const lowering = new Lowering();
  for (const input of program.inputs) lowering.declareInput(input);
  for (const tensor of topologicalOrder(program.outputs)) lowering.lower(tensor);
  const outputs = program.outputs.map((output) => lowering.writer.output(lowering.name(output), output));
  return { model: lowering.writer.finish(), outputs, nodeCount: lowering.writer.nodeCount };
}

const onnxRules: OnnxRules<Primitive> = {
  ...leafOnnx,
  ...elementwiseOnnx,
  ...reductionOnnx,
  ...linalgOnnx,
  ...movementOnnx,
  ...indexingOnnx,
  ...convolutionOnnx,
  ...fusedOnnx,
};

class Lowering {
  readonly writer = new OnnxWriter();
  readonly #names = new Map<Tensor, string>();

  declareInput(input: Tensor<'input'>): void {
    this.writer.input(input.params.name, input);
    this.#names.set(input, input.params.name);
  }

  lower(tensor: Tensor): void {
    if (this.#names.has(tensor)) return;
    const rule = onnxRules[tensor.primitive] as OnnxRule<Primitive>;
    const inputs = tensor.inputs.map((input) => this.name(input));
    this.#names.set(tensor, rule(this.writer, tensor, inputs));
  }

  name(tensor: Tensor): string {
    return this.#names.get(tensor)!;
  }
}
