/** Control flow where there are no kernels for loops: a scan, whose length is known, is written out step by step. */
import { CrucibleError } from '@crucible/foundation';
import type { HostType } from '../../dtype.ts';
import type { ControlParams } from '../../ir/primitive.ts';
import { zerosArray } from '../../nd-array.ts';
import type { OnnxWriter } from '../onnx-writer.ts';
import type { ControlOnnxRule } from '../rules/rule.ts';

export const webgpuControl: {
  readonly scan: ControlOnnxRule<'scan'>;
  readonly whileLoop: ControlOnnxRule<'whileLoop'>;
} = {
  scan: (onnx, { params }, inputs, lowerInto) => {
    const { body, carries, sequences, length, reverse } = params;
    let carried = inputs.slice(0, carries);
    const fed = inputs.slice(carries, carries + sequences);
    const captured = inputs.slice(carries + sequences);
    const elementTypes = body.inputs.slice(carries, carries + sequences);
    const outputs = body.outputs.slice(carries).map((): string[] => new Array<string>(length));
    for (let step = 0; step < length; step++) {
      const at = reverse ? length - 1 - step : step;
      const elements = fed.map((sequence, i) => reshaped(onnx, elementOf(onnx, sequence, at), elementTypes[i]!.shape));
      const results = lowerInto(onnx, body, [...carried, ...elements, ...captured]);
      carried = results.slice(0, carries);
      outputs.forEach((list, i) => {
        list[at] = reshaped(onnx, results[carries + i]!, [1, ...body.outputs[carries + i]!.shape]);
      });
    }
    const joined = outputs.map((list, i) => {
      const { dtype, shape } = body.outputs[carries + i]!;
      if (length === 0) return onnx.constant(zerosArray(dtype as HostType, [0, ...shape]));
      return length === 1 ? list[0]! : onnx.op('Concat', list, { attributes: { axis: 0 } });
    });
    return [...carried, ...joined];
  },

  whileLoop: () => {
    throw new CrucibleError(
      'invalid-input',
      'whileLoop: the device webgpu has no loops of open length; scan has a fixed one, the device cpu has both',
    );
  },
} satisfies Partial<{ readonly [P in keyof ControlParams]: ControlOnnxRule<P> }>;

function elementOf(onnx: OnnxWriter, sequence: string, at: number): string {
  return onnx.op('Slice', [sequence, onnx.int64s([at]), onnx.int64s([at + 1]), onnx.int64s([0])]);
}

function reshaped(onnx: OnnxWriter, name: string, shape: readonly number[]): string {
  return onnx.op('Reshape', [name, onnx.int64s(shape)], { attributes: { allowzero: 1 } });
}
