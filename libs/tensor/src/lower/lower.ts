/** Turns a program into an ONNX model: one rule per primitive. */
import { topologicalOrder, type Program } from '../ir/graph.ts';
import type { ControlParams, OneResult } from '../ir/primitive.ts';
import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { writeTokenBlocks } from '../rewrite/token-blocks.ts';
import { OnnxWriter, type Target } from './onnx-writer.ts';
import { controlOnnx } from './rules/control.ts';
import { convolutionOnnx } from './rules/convolution.ts';
import { elementwiseOnnx } from './rules/elementwise.ts';
import { fusedOnnx } from './rules/fused.ts';
import { indexingOnnx } from './rules/indexing.ts';
import { leafOnnx } from './rules/leaf.ts';
import { linalgOnnx } from './rules/linalg.ts';
import { movementOnnx } from './rules/movement.ts';
import { reductionOnnx } from './rules/reduction.ts';
import type { ControlOnnxRule, OnnxRule, OnnxRules } from './rules/rule.ts';

export interface LoweredProgram {
  /** A serialised ONNX model. */
  readonly model: Uint8Array;
  /** Names of the results, in the program's order. Inputs keep their own names. */
  readonly outputs: readonly string[];
  /** Nodes of the ONNX graph. */
  readonly nodes: number;
}

const onnxRules: OnnxRules<OneResult> = {
  ...leafOnnx,
  ...elementwiseOnnx,
  ...reductionOnnx,
  ...linalgOnnx,
  ...movementOnnx,
  ...indexingOnnx,
  ...convolutionOnnx,
  ...fusedOnnx,
};

export function lowerProgram(program: Program, target: Target = 'cpu'): LoweredProgram {
  const writer = new OnnxWriter(target);
  const inputs = program.inputs.map((input) => input.params.name);
  program.inputs.forEach((input, i) => writer.input(inputs[i]!, input));
  const values = lowerInto(writer, program, inputs);
  const outputs = program.outputs.map((output, i) => writer.output(values[i]!, output));
  return { model: writer.finish(), outputs, nodes: writer.nodeCount };
}

/** Writes the nodes of a program whose inputs have the given names, and returns the names of its outputs' values. */
function lowerInto(writer: OnnxWriter, program: Program, inputs: readonly string[]): string[] {
  program = writeTokenBlocks(program);
  const names = new Map<Tensor, string>();
  const several = new Map<Tensor, readonly string[]>();
  program.inputs.forEach((input, i) => names.set(input, inputs[i]!));
  for (const tensor of topologicalOrder(program.outputs)) {
    if (names.has(tensor)) continue;
    const given = tensor.inputs.map((input) => names.get(input)!);
    if (isPrimitive(tensor, 'part')) {
      names.set(tensor, several.get(tensor.inputs[0]!)![tensor.params.index]!);
    } else if (tensor.parts) {
      const rule = controlOnnx[tensor.primitive as keyof ControlParams] as ControlOnnxRule<keyof ControlParams>;
      several.set(tensor, rule(writer, tensor as Tensor<keyof ControlParams>, given, lowerInto));
    } else {
      const rule = onnxRules[tensor.primitive as OneResult] as OnnxRule<OneResult>;
      names.set(tensor, rule(writer, tensor as Tensor<OneResult>, given));
    }
  }
  return program.outputs.map((output) => names.get(output)!);
}
