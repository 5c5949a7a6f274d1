import type { Program } from '../graph.ts';
import type { ControlParams } from '../primitive.ts';
import { type TensorType, typesEqual } from '../tensor.ts';
import { expectDtype, expectShape, type TypeRules } from './rule.ts';

// What users pass is checked where they pass it (library/control.ts); a mistake that is found here is our own.
export const controlTypes: TypeRules<keyof ControlParams> = {
  scan: (inputs, { body, carries, sequences, length }) => {
    const elements = inputs.map((input, i) => {
      if (i < carries || i >= carries + sequences) return input;
      if (input.shape[0] !== length) broken('scan', `sequence ${i} has not ${length} elements`);
      return { shape: input.shape.slice(1), dtype: input.dtype };
    });
    expectInputs(body, elements, 'scan');
    expectCarries(body, carries, 'scan');
    return severalResults(
      body.outputs.map(({ shape, dtype }, i) => ({ shape: i < carries ? shape : [length, ...shape], dtype })),
    );
  },
  whileLoop: (inputs, { condition, body, carries }) => {
    expectInputs(condition, inputs, 'whileLoop');
    expectInputs(body, inputs, 'whileLoop');
    expectCarries(body, carries, 'whileLoop');
    expectPredicate(condition.outputs[0]!);
    return severalResults(body.outputs.map(typeOf));
  },
  branch: ([predicate, ...captured], { then, otherwise }) => {
    expectPredicate(predicate!);
    for (const program of [then, otherwise]) expectInputs(program, captured, 'branch');
    const [types, others] = [then.outputs.map(typeOf), otherwise.outputs.map(typeOf)];
    if (!typesEqual(severalResults(types), severalResults(others))) broken('branch', 'the results differ in type');
    return severalResults(types);
  },
  checkpoint: (inputs, { body }) => {
    expectInputs(body, inputs, 'checkpoint');
    return severalResults(body.outputs.map(typeOf));
  },
  customGradient: (inputs, { results, operands, backward }) => {
    const captured = inputs.slice(results + operands);
    const floats = (types: readonly TensorType[]): TensorType[] => types.filter(({ dtype }) => dtype === 'float32');
    expectInputs(backward, [...floats(inputs.slice(0, results)), ...captured], 'customGradient');
    const targets = floats(inputs.slice(results, results + operands));
    if (!typesEqual(severalResults(backward.outputs.map(typeOf)), severalResults(targets.map(typeOf)))) {
      broken('customGradient', 'the gradients differ in type from the operands');
    }
    return severalResults(inputs.slice(0, results).map(typeOf));
  },
};

function severalResults(parts: readonly TensorType[]): TensorType {
  return { shape: [0], dtype: 'int32', parts };
}

function typeOf({ shape, dtype }: TensorType): TensorType {
  return { shape, dtype };
}

function expectInputs({ inputs }: Program, types: readonly TensorType[], what: string): void {
  const fits = inputs.length === types.length && inputs.every((input, i) => typesEqual(input, types[i]!));
  if (!fits) broken(what, 'the program within takes other inputs than it is given');
}

function expectCarries({ inputs, outputs }: Program, carries: number, what: string): void {
  for (let i = 0; i < carries; i++) {
    if (!typesEqual(inputs[i]!, outputs[i]!)) broken(what, `carry ${i} changes its type`);
  }
}

function expectPredicate(type: TensorType): void {
  expectShape(expectDtype(type, ['bool'], 'predicate'), [], 'predicate');
}

function broken(what: string, how: string): never {
  throw new Error(`internal: ${what}: ${how}`);
}
