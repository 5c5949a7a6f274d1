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

export interface StepScalars<Leaf = Tensor> {
  /** Learning rate of this step, float scalar. */
  readonly rate: Leaf;
  /** Number of this step, counted from 1, float scalar. */
  readonly step: Leaf;
  /** What the gradients are multiplied by before all else, float scalar. Default: 1. */
  readonly factor?: Leaf;
  /** Global norm of the gradients times `factor`, float scalar. Default: it is worked out where it is needed. */
  readonly norm?: Leaf;
}

/** How a parameter is updated whose elements do not need each other: parameters of one rule may be joined, or cut. */
export interface ElementRule {
  /** The same for the same rule. */
  readonly key: string;
  /** `norm` is that of the gradients of all parameters. */
  readonly update: (
    parameter: Tensor,
    gradient: Tensor,
    state: AdamWState,
    scalars: StepScalars,
  ) => { readonly parameter: Tensor; readonly state: AdamWState };
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
  /** Undefined where a parameter is updated as a whole. */
  readonly elementRule: (path: string, shape: readonly number[]) => ElementRule | undefined;
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
  const clipped = (scalars: StepScalars): { readonly factor?: Tensor } => {
    const { factor, norm } = scalars;
    if (clipNorm === Infinity) return factor ? { factor } : {};
    const clip = clipFactor(norm!, clipNorm);
    return { factor: factor ? mul(factor, clip) : clip };
  };
  const decayOf = (path: string, shape: readonly number[], given: number | undefined): number =>
    decays(path, shape) ? (given ?? 0) : 0;
  const ratedBy = (rate: Tensor, factor: number): Tensor => (factor === 1 ? rate : mul(rate, factor));
  const rules = new Map<string, ElementRule>();
  const ruleOf = (path: string, shape: readonly number[]): ElementRule => {
    const [rateBy, weightDecay] = [rateFactor(path), decayOf(path, shape, adamW.weightDecay)];
    const key = `${rateBy} ${weightDecay}`;
    const known = rules.get(key);
    if (known) return known;
    const rule: ElementRule = {
      key,
      update: (parameter, gradient, state, scalars) => {
        const { rate, step } = scalars;
        const own = { rate: ratedBy(rate, rateBy), step, ...clipped(scalars) };
        return adamWStep(parameter, gradient, state, own, { ...adamW, weightDecay });
      },
    };
    rules.set(key, rule);
    return rule;
  };
  return {
    init: (parameters) => {
      const entries = flatten(parameters, isNdArray).map(({ path, leaf }) => {
        const zeros = (): NdArray => zerosArray('float32', leaf.shape);
        const state = useMuon(path, leaf.shape) ? { momentum: zeros() } : { first: zeros(), second: zeros() };
        return [path, state] as const;
      });
      return Object.fromEntries(entries);
    },
    elementRule: (path, shape) => (useMuon(path, shape) ? undefined : ruleOf(path, shape)),
    update: (parameters, gradients, state, given) => {
      const scalars = { ...given, norm: given.norm ?? normOf(gradients, given.factor) };
      const gradientAt = leavesOf(gradients);
      const stateAt = leavesOf(state);
      const next = new Map<string, { readonly parameter: Tensor; readonly state: MuonState | AdamWState }>();
      const steps = new Map<string, AdamWEntry[]>();
      for (const [path, parameter] of leavesOf(parameters)) {
        const gradient = gradientAt.get(path)!;
        if (useMuon(path, parameter.shape)) {
          const weightDecay = decayOf(path, parameter.shape, muon.weightDecay);
          const own = { rate: ratedBy(given.rate, rateFactor(path)), ...clipped(scalars) };
          const moment = momentsOf(stateAt, path, ['momentum']);
          next.set(path, muonStep(parameter, gradient, moment, own, { ...muon, weightDecay }));
          continue;
        }
        const rule = ruleOf(path, parameter.shape);
        const entry = { path, parameter, gradient, own: momentsOf(stateAt, path, ['first', 'second']), rule };
        const key = sizeOf(parameter.shape) <= largestJoined ? rule.key : path;
        steps.set(key, [...(steps.get(key) ?? []), entry]);
      }
      for (const entries of steps.values()) {
        const { parameter, gradient, own, rule } = joined(entries);
        const updated = rule.update(parameter, gradient, own, scalars);
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

function normOf(gradients: TensorTree, factor: Tensor | undefined): Tensor {
  const norm = globalNorm(gradients);
  return factor ? mul(norm, factor) : norm;
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
  readonly rule: ElementRule;
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

/** The parts of a parameter's state; throws where one is missing. */
export function momentsOf<Name extends string, Leaf>(
  stateAt: ReadonlyMap<string, Leaf>,
  path: string,
  names: readonly Name[],
): Record<Name, Leaf> {
  const entries = names.map((name) => [name, stateAt.get(`${path}.${name}`)] as const);
  if (entries.some(([, leaf]) => leaf === undefined))
    throw invalidInput(`optimizer: the state has nothing for ${path}`);
  return Object.fromEntries(entries) as Record<Name, Leaf>;
}

/** Number of values in a tree of arrays or tensors. */
export function countParameters(tree: object): number {
  const isLeaf = (value: unknown): value is { shape: readonly number[] } => isTensor(value) || isNdArray(value);
  return flatten(tree, isLeaf).reduce((sum, { leaf }) => sum + leaf.shape.reduce((a, b) => a * b, 1), 0);
}
