import { invalidInput } from '@crucible/foundation';
import { flatten, isNdArray, isTensor, mul, type NdArray, type Tensor, zerosArray } from '@crucible/tensor';
import { adamWStep, type AdamWOptions, type AdamWState } from './adamw.ts';
import { clipByGlobalNorm } from './clip.ts';
import { muonStep, type MuonOptions, type MuonState } from './muon.ts';
import { leavesOf, type TensorTree, withLeaves } from './tree.ts';

export interface OptimizerOptions {
  /** Largest global norm of the gradients. Default: 1. */
  readonly clipNorm?: number;
  readonly adamW?: AdamWOptions;
  readonly muon?: MuonOptions;
  /**
   * Which parameters Muon trains; the others get AdamW. Default: none. Muon is meant for the matrices inside the
   * network, not for embeddings, heads and vectors.
   */
  readonly useMuon?: (path: string, shape: readonly number[]) => boolean;
  /** Whether a parameter decays. Default: matrices do, vectors do not. */
  readonly decays?: (path: string, shape: readonly number[]) => boolean;
  /** Factor of the learning rate for a parameter. Default: 1. */
  readonly rateFactor?: (path: string) => number;
}

/**
 * Optimizer state by parameter path; a tree, so that it is fed, fetched and saved like parameters. `update` goes by the
 * paths of its leaves alone, so a tree nested along the parameters' paths, as checkpoints give it back, does as well.
 */
export type OptimizerState<Leaf> = Readonly<
  Record<string, { readonly momentum: Leaf } | { readonly first: Leaf; readonly second: Leaf }>
>;

export interface StepScalars {
  /** Learning rate of this step, float scalar. */
  readonly rate: Tensor;
  /** Number of this step, counted from 1, float scalar. */
  readonly step: Tensor;
}

export interface Optimizer {
  /** State before the first step: zeros. */
  readonly init: (parameters: object) => OptimizerState<NdArray>;
  /** Writes one step into the graph. `norm` is that of the gradients before clipping. */
  readonly update: <T extends TensorTree>(
    parameters: T,
    gradients: T,
    state: OptimizerState<Tensor>,
    scalars: StepScalars,
  ) => { parameters: T; state: OptimizerState<Tensor>; norm: Tensor };
}

export function createOptimizer(options: OptimizerOptions = {}): Optimizer {
  const {
    clipNorm = 1,
    adamW = {},
    muon = {},
    useMuon = () => false,
    decays = (_path: string, shape: readonly number[]) => shape.length > 1,
    rateFactor = () => 1,
  } = options;
  return {
    init: (parameters) => {
      const entries = flatten(parameters, isNdArray).map(({ path, leaf }) => {
        const zeros = (): NdArray => zerosArray('float32', leaf.shape);
        const state = useMuon(path, leaf.shape) ? { momentum: zeros() } : { first: zeros(), second: zeros() };
        return [path, state] as const;
      });
      return Object.fromEntries(entries);
    },
    update: (parameters, gradients, state, { rate, step }) => {
      const { clipped, norm } = clipByGlobalNorm(gradients, clipNorm);
      const gradientAt = leavesOf(clipped);
      const stateAt = leavesOf(state);
      const nextState: Record<string, MuonState | AdamWState> = {};
      const nextParameters = withLeaves(parameters, (path, parameter) => {
        const gradient = gradientAt.get(path)!;
        const factor = rateFactor(path);
        const ownRate = factor === 1 ? rate : mul(rate, factor);
        const weightDecay = (given: number | undefined): { weightDecay: number } => ({
          weightDecay: decays(path, parameter.shape) ? (given ?? 0) : 0,
        });
        const own = momentsOf(stateAt, path);
        const next =
          'momentum' in own
            ? muonStep(parameter, gradient, own, ownRate, { ...muon, ...weightDecay(muon.weightDecay) })
            : adamWStep(
                parameter,
                gradient,
                own,
                { rate: ownRate, step },
                { ...adamW, ...weightDecay(adamW.weightDecay) },
              );
        nextState[path] = next.state;
        return next.parameter;
      });
      return { parameters: nextParameters, state: nextState, norm };
    },
  };
}

function momentsOf(stateAt: ReadonlyMap<string, Tensor>, path: string): MuonState | AdamWState {
  const momentum = stateAt.get(`${path}.momentum`);
  if (momentum) return { momentum };
  const first = stateAt.get(`${path}.first`);
  const second = stateAt.get(`${path}.second`);
  if (!first || !second) throw invalidInput(`optimizer: the state has nothing for ${path}`);
  return { first, second };
}

/** Number of values in a tree of arrays or tensors. */
export function countParameters(tree: object): number {
  const isLeaf = (value: unknown): value is { shape: readonly number[] } => isTensor(value) || isNdArray(value);
  return flatten(tree, isLeaf).reduce((sum, { leaf }) => sum + leaf.shape.reduce((a, b) => a * b, 1), 0);
}
