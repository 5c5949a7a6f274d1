/** Programs as ONNX files that any runtime of the standard can run. */
import { topologicalOrder } from '../ir/graph.ts';
import type { Tensor, TensorType } from '../ir/tensor.ts';
import { elementType } from '../lower/onnx-writer.ts';
import { trace, type Signature } from '../trace/compile.ts';
import { flatten } from '../tree.ts';
import { OnnxFile, type Weight } from './onnx-file.ts';
import { OpenSizes, primesFor, type SizeSource } from './open-sizes.ts';
import { standardRules } from './standard-rules.ts';

export interface OnnxExport<W extends object, Size extends string> {
  /** Types of the weights, as a tree. */
  readonly weights: W;
  /** The values of a weight, by its path; asked for once, when it is written. */
  readonly readWeight: (path: string) => Float32Array;
  /** Inputs of whole numbers (int64 in the file) and their sizes, which are open. */
  readonly inputs: Readonly<Record<string, readonly Size[]>>;
  /** Writes the program down; weights that nothing needs are left out. */
  readonly build: (weights: Signature<W>, inputs: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>;
  /** Whole numbers that the program works with beside the sizes of weights, such as the size of a head. */
  readonly sizes: readonly number[];
  /** Whether weights are written beside the file, into PATH.data. Default: where they are too many for it. */
  readonly external?: boolean | undefined;
}

/** Writes a program, with its weights, into a file. */
export function exportOnnx<W extends object, Size extends string>(path: string, given: OnnxExport<W, Size>): void {
  const types = new Map(flatten<TensorType>(given.weights, isType).map(({ path: name, leaf }) => [name, leaf]));
  const names = [...new Set(Object.values(given.inputs).flat())];
  const fixed = [...types.values()].flatMap(({ shape }) => shape);
  const primes = primesFor(names, [...fixed, ...given.sizes]);
  const inputs = Object.fromEntries(
    Object.entries(given.inputs).map(([name, sizes]): [string, TensorType] => [
      name,
      { dtype: 'int32', shape: sizes.map((size) => primes[size]) },
    ]),
  );
  const { program, outputTree } = trace({ weights: given.weights, inputs }, (symbols) =>
    given.build(symbols.weights as Signature<W>, symbols.inputs),
  );

  const file = new OnnxFile();
  const sources: Record<string, SizeSource> = {};
  for (const [input, sizes] of Object.entries(given.inputs)) {
    file.input(input, elementType.int64, sizes);
    sizes.forEach((size, axis) => (sources[size] ??= { input, axis }));
  }
  const exporting = { file, sizes: new OpenSizes(file, primes, sources) };
  const values = new Map<Tensor, string>();
  for (const tensor of topologicalOrder(program.outputs)) {
    const rule = standardRules[tensor.primitive];
    const inputNames = tensor.inputs.map((input) => values.get(input)!);
    values.set(
      tensor,
      tensor.primitive === 'input'
        ? inputValue(file, (tensor as Tensor<'input'>).params.name, types, given.readWeight)
        : (rule ?? missing(tensor))(exporting, tensor as never, inputNames),
    );
  }
  for (const [name, tensor] of Object.entries(outputTree))
    file.output(name, values.get(tensor)!, elementType[tensor.dtype], exporting.sizes.describe(tensor.shape));
  file.write(path, { external: given.external });
}

function inputValue(
  file: OnnxFile,
  name: string,
  types: ReadonlyMap<string, TensorType>,
  readWeight: (path: string) => Float32Array,
): string {
  const [branch, ...rest] = name.split('.');
  const path = rest.join('.');
  if (branch === 'inputs') return file.op('Cast', [path], { to: elementType.int32 });
  const weight: Weight = { shape: types.get(path)!.shape, read: () => readWeight(path) };
  return file.weight(path, weight);
}

function missing(tensor: Tensor): never {
  throw new Error(`internal: there is no rule to export ${tensor.primitive}`);
}

function isType(value: unknown): value is TensorType {
  return typeof value === 'object' && value !== null && 'dtype' in value && 'shape' in value;
}
