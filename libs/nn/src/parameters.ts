/**
 * Parameters as trees whose paths are the tensor names of a Hugging Face checkpoint
 * (`model.layers.0.self_attn.q_proj.weight`), in its layout.
 */
import type { Random } from '@crucible/foundation';
import { floats, type NdArray, type Shape, sizeOf, treeFromPaths } from '@crucible/tensor';

export interface ParameterTree<Leaf> {
  readonly [name: string]: Leaf | ParameterTree<Leaf> | readonly ParameterTree<Leaf>[];
}

/** A whole model: its body under the family's name for it (`model`, `transformer`, `bert`), and its head beside it. */
export type ModelWeights = ParameterTree<NdArray>;

/**
 * What a parameter is for: `embedding` of tokens, `place` (embeddings of positions and token types), `matrix` inside the
 * body, `output` (a matrix back into the residual stream), `norm` (a scale), `bias`, `head` (what makes the answer).
 */
export type ParameterRole = 'embedding' | 'place' | 'matrix' | 'output' | 'norm' | 'bias' | 'head';

export interface ParameterSpec {
  readonly path: string;
  readonly shape: Shape;
  readonly role: ParameterRole;
  /** Inputs of a matrix. Default: its last size. */
  readonly inputs?: number;
  /** A checkpoint may lack it; then the model goes without. Default: false. */
  readonly optional?: true;
}

export interface InitOptions {
  /** Standard deviation of the embeddings of tokens. */
  readonly embeddings: number;
  /** Of those of places. */
  readonly places: number;
}

/**
 * Random initial parameters. Matrices are normal with standard deviation 1/√(inputs). Projections back into the residual
 * stream begin at zero (Zhang et al. 2019, "Fixup"), so every layer begins as the identity, and so does a head of its own:
 * all tokens alike. Norms are 1, biases 0.
 */
export function initialParameters(
  specs: Iterable<ParameterSpec>,
  random: Random,
  { embeddings, places }: InitOptions,
): ModelWeights {
  const leaves = new Map<string, NdArray>();
  for (const { path, shape, role, inputs = shape.at(-1)! } of specs) {
    const fill = (value: () => number): void =>
      void leaves.set(
        path,
        floats(
          shape,
          Float32Array.from({ length: sizeOf(shape) }, () => value()),
        ),
      );
    const normal = (deviation: number): void => fill(() => random.normal() * deviation);
    switch (role) {
      case 'embedding':
        normal(embeddings);
        break;
      case 'place':
        normal(places);
        break;
      case 'matrix':
        normal(1 / Math.sqrt(inputs));
        break;
      case 'norm':
        fill(() => 1);
        break;
      case 'output':
      case 'bias':
      case 'head':
        fill(() => 0);
    }
  }
  return treeFromPaths(leaves) as ModelWeights;
}
