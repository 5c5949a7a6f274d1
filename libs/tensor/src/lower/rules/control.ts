import type { Program } from '../../ir/graph.ts';
import type { ControlParams } from '../../ir/primitive.ts';
import type { GraphAttribute, OnnxWriter } from '../onnx-writer.ts';
import type { ControlOnnxRule, LowerInto } from './rule.ts';

export const controlOnnx: { readonly [P in keyof ControlParams]: ControlOnnxRule<P> } = {
  scan: (onnx, { params }, inputs, lowerInto) => {
    const { body, carries, sequences, reverse } = params;
    const fed = carries + sequences;
    const directions = (count: number): number[] => new Array<number>(count).fill(Number(reverse));
    return onnx.node('Scan', inputs.slice(0, fed), {
      attributes: {
        body: graphOf(onnx, body, fed, inputs.slice(fed), lowerInto),
        num_scan_inputs: sequences,
        scan_input_directions: directions(sequences),
        scan_output_directions: directions(body.outputs.length - carries),
      },
      outputs: body.outputs.length,
    });
  },

  // The condition for the next round is worked out at the end of each, and once before the first.
  whileLoop: (onnx, { params }, inputs, lowerInto) => {
    const { condition, body, carries } = params;
    const captured = inputs.slice(carries);
    const [first] = lowerInto(onnx, condition, inputs);
    const within = onnx.within();
    within.element({ shape: [], dtype: 'int64' });
    within.element({ shape: [], dtype: 'bool' });
    const carry = body.inputs.slice(0, carries).map((input) => within.element(input));
    const next = lowerInto(within, body, [...carry, ...captured]);
    const [goOn] = lowerInto(within, condition, [...next, ...captured]);
    within.output(goOn!, { shape: [], dtype: 'bool' });
    body.outputs.forEach((output, i) => within.output(next[i]!, output));
    return onnx.node('Loop', ['', first!, ...inputs.slice(0, carries)], {
      attributes: { body: within.finishWithin() },
      outputs: carries,
    });
  },

  branch: (onnx, { params: { then, otherwise } }, [predicate, ...captured], lowerInto) =>
    onnx.node('If', [predicate!], {
      attributes: {
        then_branch: graphOf(onnx, then, 0, captured, lowerInto),
        else_branch: graphOf(onnx, otherwise, 0, captured, lowerInto),
      },
      outputs: then.outputs.length,
    }),

  checkpoint: (onnx, { params }, inputs, lowerInto) => lowerInto(onnx, params.body, inputs),
  customGradient: (_onnx, { params }, inputs) => inputs.slice(0, params.results),
};

/** A program as a graph within a node, which feeds its first inputs; the others are values of the graph around it. */
function graphOf(
  onnx: OnnxWriter,
  program: Program,
  fed: number,
  captured: readonly string[],
  lowerInto: LowerInto,
): GraphAttribute {
  const within = onnx.within();
  const elements = program.inputs.slice(0, fed).map((input) => within.element(input));
  const values = lowerInto(within, program, [...elements, ...captured]);
  program.outputs.forEach((output, i) => within.output(values[i]!, output));
  return within.finishWithin();
}
