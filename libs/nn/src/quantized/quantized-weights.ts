/** Models some of whose matrices have few bits. Those are no leaves of the tree of weights: they are parts of programs. */
import { flatten, isNdArray, type NdArray, type QuantizedMatrix, type Tensor, treeFromPaths } from '@crucible/tensor';
import type { Affine } from '../linear.ts';
import type { ModelWeights, ParameterTree } from '../parameters.ts';

/** Matrices [out, in] by module; `lm_head` beside a tied embedding is that matrix once more. */
export type QuantizedWeights = ReadonlyMap<string, QuantizedMatrix>;

/** The model with matrices of few bits in the place of its own. */
export function withQuantized(weights: ParameterTree<Tensor>, quantized: QuantizedWeights): ParameterTree<Tensor> {
  return withFields(weights, new Map(Array.from(quantized, ([module, matrix]) => [module, { quantized: matrix }])));
}

/** The model with somebody who is told, while the program is traced, what each of the modules multiplies. */
export function withTaps(
  weights: ParameterTree<Tensor>,
  modules: Iterable<string>,
  tell: (module: string, x: Tensor) => void,
): ParameterTree<Tensor> {
  return withFields(
    weights,
    new Map(Array.from(modules, (module) => [module, { tap: (x: Tensor) => tell(module, x) }])),
  );
}

/** Weights without the matrices of modules. */
export function withoutMatrices(weights: ModelWeights, modules: { has: (module: string) => boolean }): ModelWeights {
  const leaves = flatten<NdArray>(weights, isNdArray).filter(({ path }) => !modules.has(path.replace(/\.weight$/, '')));
  return treeFromPaths(new Map(leaves.map(({ path, leaf }) => [path, leaf]))) as ModelWeights;
}

type Fields = Partial<Pick<Affine<Tensor>, 'quantized' | 'tap'>>;

/** Puts fields beside what a module has; one that has nothing else comes into being. */
function withFields(weights: ParameterTree<Tensor>, fields: ReadonlyMap<string, Fields>): ParameterTree<Tensor> {
  const place = (node: unknown, entries: readonly (readonly [readonly string[], Fields])[]): unknown => {
    const here = Object.assign({}, ...entries.filter(([keys]) => keys.length === 0).map(([, own]) => own)) as Fields;
    const below = Object.groupBy(
      entries.filter(([keys]) => keys.length > 0),
      ([keys]) => keys[0]!,
    );
    const changed = Object.entries(below).map(
      ([key, inner]) =>
        [
          key,
          place(
            (node as Record<string, unknown> | undefined)?.[key],
            inner!.map(([keys, own]) => [keys.slice(1), own] as const),
          ),
        ] as const,
    );
    if (Array.isArray(node)) return Object.assign([...(node as unknown[])], Object.fromEntries(changed));
    return { ...(node as object | undefined), ...Object.fromEntries(changed), ...here };
  };
  return place(
    weights,
    Array.from(fields, ([module, own]) => [module.split('.'), own] as const),
  ) as ParameterTree<Tensor>;
}
