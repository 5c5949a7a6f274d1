import { invalidInput } from '@crucible/foundation';
import {
  concat,
  flatten,
  isNdArray,
  isTensor,
  mul,
  type NdArray,
  reshape,
  sizeOf,
  split,
  type Tensor,
  zerosArray,
} from '@crucible/tensor';
import { adamWStep, type AdamWOptions, type AdamWState } from './adamw.ts';
import { clipFactor, globalNorm } from './clip.ts';
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
  /** Global norm of the gradients before clipping, float scalar. Default: it is worked out where it is needed. */
  readonly norm?: Tensor;
}

export interface Optimizer {
  /** State before the first step: zeros. */
  readonly init: (parameters: object) => OptimizerState<NdArray>;
  /** Writes one step into the graph. */
  readonly update: <T extends TensorTree>(
    parameters: T,
    gradients: T,
    state: OptimizerState<Tensor>,
    scalars: StepScalars,
  ) => { parameters: T; state: OptimizerState<Tensor> };
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
    update: (parameters, gradients, state, { rate, step, norm }) => {
      const factor = clipNorm === Infinity ? {} : { factor: clipFactor(norm ?? globalNorm(gradients), clipNorm) };
      const gradientAt = leavesOf(gradients);
      const stateAt = leavesOf(state);
      const next = new Map<string, { readonly parameter: Tensor; readonly state: MuonState | AdamWState }>();
      const steps = new Map<string, AdamWEntry[]>();
      for (const [path, parameter] of leavesOf(parameters)) {
        const gradient = gradientAt.get(path)!;
        const rateBy = rateFactor(path);
        const ownRate = rateBy === 1 ? rate : mul(rate, rateBy);
        const weightDecayOf = (given: number | undefined): number => (decays(path, parameter.shape) ? (given ?? 0) : 0);
        const own = momentsOf(stateAt, path);
        if ('momentum' in own) {
          const weightDecay = weightDecayOf(muon.weightDecay);
          next.set(path, muonStep(parameter, gradient, own, { rate: ownRate, ...factor }, { ...muon, weightDecay }));
          continue;
        }
        const weightDecay = weightDecayOf(adamW.weightDecay);
        const entry = { path, parameter, gradient, own, rate: ownRate, weightDecay };
        const key = sizeOf(parameter.shape) <= largestJoined ? `${rateBy} ${weightDecay}` : path;
        steps.set(key, [...(steps.get(key) ?? []), entry]);
      }
      for (const entries of steps.values()) {
        const { parameter, gradient, own, rate: ownRate, weightDecay } = joined(entries);
        const scalars = { rate: ownRate, step, ...factor };
        const updated = adamWStep(parameter, gradient, own, scalars, { ...adamW, weightDecay });
        const [values, first, second] = [updated.parameter, updated.state.first, updated.state.second].map((all) =>
          separated(all, entries),
        ) as [readonly Tensor[], readonly Tensor[], readonly Tensor[]];
        entries.forEach(({ path }, i) =>
          next.set(path, { parameter: values[i]!, state: { first: first[i]!, second: second[i]! } }),
        );
      }
      // In the order of the parameters, whatever was joined
      const paths = [...leavesOf(parameters).keys()];
      return {
        parameters: withLeaves(parameters, (path) => next.get(path)!.parameter),
        state: Object.fromEntries(paths.map((path) => [path, next.get(path)!.state])),
      };
    },
  };
}

/**
 * Elements of a parameter up to which AdamW works on it together with others that have the same rate and decay, as one
 * vector: the same numbers, from a dozen operations instead of a dozen for each.
 */
const largestJoined = 4096;

interface AdamWEntry {
  readonly path: string;
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  readonly own: AdamWState;
  readonly rate: Tensor;
  readonly weightDecay: number;
}

function joined(entries: readonly AdamWEntry[]): Omit<AdamWEntry, 'path'> {
  const [entry] = entries as [AdamWEntry];
  if (entries.length === 1) return entry;
  const join = (pick: (entry: AdamWEntry) => Tensor): Tensor =>
    concat(
      entries.map((entry) => reshape(pick(entry), [-1])),
      0,
    );
  return {
    ...entry,
    parameter: join(({ parameter }) => parameter),
    gradient: join(({ gradient }) => gradient),
    own: { first: join(({ own }) => own.first), second: join(({ own }) => own.second) },
  };
}

function separated(tensor: Tensor, entries: readonly AdamWEntry[]): readonly Tensor[] {
  if (entries.length === 1) return [tensor];
  const sizes = entries.map(({ parameter }) => sizeOf(parameter.shape));
  return split(tensor, sizes, 0).map((part, i) => reshape(part, entries[i]!.parameter.shape));
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
