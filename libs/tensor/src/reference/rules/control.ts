import type { DType } from '../../dtype.ts';
import type { Program } from '../../ir/graph.ts';
import type { ControlParams, PrimitiveParams } from '../../ir/primitive.ts';
import { sizeOf } from '../../shape.ts';
import type { ReferenceArray } from './rule.ts';

/** How a program within another is run. */
interface Running {
  /** Inputs in the order that the program declares. */
  readonly run: (program: Program, inputs: readonly ReferenceArray[]) => ReferenceArray[];
  /** Arrays in the precision of this run. */
  readonly make: (dtype: DType, length: number) => ReferenceArray['data'];
}

export type SeveralRule<P extends keyof ControlParams> = (
  inputs: readonly ReferenceArray[],
  params: PrimitiveParams[P],
  running: Running,
) => readonly ReferenceArray[];

/** Nodes with several results. */
export const controlReference: { readonly [P in keyof ControlParams]: SeveralRule<P> } = {
  scan: (inputs, { body, carries, sequences, length, reverse }, { run, make }) => {
    let carry = inputs.slice(0, carries);
    const rows = inputs.slice(carries, carries + sequences);
    const captured = inputs.slice(carries + sequences);
    const steps: ReferenceArray[][] = [];
    for (let step = 0; step < length; step++) {
      const at = reverse ? length - 1 - step : step;
      const results = run(body, [...carry, ...rows.map((sequence) => element(sequence, at)), ...captured]);
      carry = results.slice(0, carries);
      steps[at] = results.slice(carries);
    }
    const outputs = body.outputs.slice(carries).map((_output, i) =>
      stacked(
        steps.map((step) => step[i]!),
        make,
      ),
    );
    return [...carry, ...outputs];
  },
  whileLoop: (inputs, { condition, body, carries }, { run }) => {
    const captured = inputs.slice(carries);
    let carry = inputs.slice(0, carries);
    while (run(condition, [...carry, ...captured])[0]!.data[0] !== 0) carry = run(body, [...carry, ...captured]);
    return carry;
  },
  branch: ([predicate, ...captured], { then, otherwise }, { run }) =>
    run(predicate!.data[0] === 0 ? otherwise : then, captured),
  checkpoint: (inputs, { body }, { run }) => run(body, inputs),
  customGradient: (inputs, { results }) => inputs.slice(0, results),
};

function element({ dtype, shape, data }: ReferenceArray, i: number): ReferenceArray {
  const size = sizeOf(shape.slice(1));
  return { dtype, shape: shape.slice(1), data: data.slice(i * size, (i + 1) * size) };
}

function stacked(parts: readonly ReferenceArray[], make: Running['make']): ReferenceArray {
  const [first] = parts as [ReferenceArray];
  const size = sizeOf(first.shape);
  const whole = make(first.dtype, parts.length * size);
  parts.forEach((part, i) => whole.set(part.data, i * size));
  return { dtype: first.dtype, shape: [parts.length, ...first.shape], data: whole };
}
