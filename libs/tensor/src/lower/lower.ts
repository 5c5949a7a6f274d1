/** Turns a program into an ONNX model: one rule per primitive. */
import { topologicalOrder, type Program } from '../ir/graph.ts';
import type { ControlParams, OneResult } from '../ir/primitive.ts';
import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import type { Device } from '../device.ts';
import { writeTokenBlocks } from '../rewrite/token-blocks.ts';
import { cudaOnnx } from './cuda/rules.ts';
import { halvesByCasts } from './halves-by-casts.ts';
import { OnnxWriter } from './onnx-writer.ts';
import { controlOnnx } from './rules/control.ts';
import { convolutionOnnx } from './rules/convolution.ts';
import { elementwiseOnnx } from './rules/elementwise.ts';
import { fusedOnnx } from './rules/fused.ts';
import { indexingOnnx } from './rules/indexing.ts';
import { leafOnnx } from './rules/leaf.ts';
import { linalgOnnx } from './rules/linalg.ts';
import { movementOnnx } from './rules/movement.ts';
import { reductionOnnx } from './rules/reduction.ts';
import type { ControlOnnxRule, LowerInto, OnnxRule, OnnxRules } from './rules/rule.ts';
import { webgpuControl } from './webgpu/control.ts';
import { webgpuOnnx } from './webgpu/rules.ts';

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

interface Rules {
  readonly one: OnnxRules<OneResult>;
  readonly several: { readonly [P in keyof ControlParams]: ControlOnnxRule<P> };
}

const common: Rules = { one: onnxRules, several: controlOnnx };

const rulesOf: Readonly<Record<Device, Rules>> = {
  cpu: { ...common, one: { ...onnxRules, ...halvesByCasts } },
  cuda: { ...common, one: { ...onnxRules, ...cudaOnnx } },
  webgpu: { one: { ...onnxRules, ...webgpuOnnx }, several: { ...controlOnnx, ...webgpuControl } },
};

/** `isWrittenInto`: whether the caller brings the arrays that results are written into; see `Session.runInto`. */
export function lowerProgram(program: Program, device: Device = 'cpu', isWrittenInto = false): LoweredProgram {
  const writer = new OnnxWriter();
  const inputs = program.inputs.map((input) => input.params.name);
  program.inputs.forEach((input, i) => writer.input(inputs[i]!, input));
  const values = lowerWith(rulesOf[device])(writer, program, inputs);
  const outputs = program.outputs.map((output, i) => writer.output(values[i]!, output));
  if (isWrittenInto) writer.withUnreadable();
  return { model: writer.finish(), outputs, nodes: writer.nodeCount };
}

function lowerWith({ one, several: control }: Rules): LowerInto {
  const lowerInto: LowerInto = (writer, given, inputs) => {
    const program = writeTokenBlocks(given);
    const names = new Map<Tensor, string>();
    const several = new Map<Tensor, readonly string[]>();
    program.inputs.forEach((input, i) => names.set(input, inputs[i]!));
    for (const tensor of topologicalOrder(program.outputs)) {
      if (names.has(tensor)) continue;
      const operands = tensor.inputs.map((input) => names.get(input)!);
      if (isPrimitive(tensor, 'part')) {
        names.set(tensor, several.get(tensor.inputs[0]!)![tensor.params.index]!);
      } else if (tensor.parts) {
        const rule = control[tensor.primitive as keyof ControlParams] as ControlOnnxRule<keyof ControlParams>;
        several.set(tensor, rule(writer, tensor as Tensor<keyof ControlParams>, operands, lowerInto));
      } else {
        const rule = one[tensor.primitive as OneResult] as OnnxRule<OneResult>;
        names.set(tensor, rule(writer, tensor as Tensor<OneResult>, operands));
      }
    }
    return program.outputs.map((output) => names.get(output)!);
  };
  return lowerInto;
}
