/**
 * LoRA (Hu et al. 2021): beside a matrix W [out, in] that stays as it is, a product B A of low rank is learned, and what
 * is computed is W + scale · B A. Its parameters are a tree of their own, whose paths are the names that PEFT gives them:
 * `MODULE.lora_A.weight` [rank, in], `MODULE.lora_B.weight` [out, rank]. What else is in the tree stands in the place of the
 * model's parameter of that path: heads, which PEFT calls modules to save.
 */
import { invalidInput, type Random } from '@crucible/foundation';
import {
  dropout,
  flatten,
  floats,
  foldIn,
  isNdArray,
  isTensor,
  mapTree,
  type NdArray,
  sizeOf,
  type Tensor,
  treeFromPaths,
} from '@crucible/tensor';
import type { LowRank } from '../linear.ts';
import type { ModelWeights, ParameterSpec, ParameterTree } from '../parameters.ts';

export interface LoraConfig {
  readonly kind: 'lora';
  readonly rank: number;
  /** The product is scaled by alpha / rank. */
  readonly alpha: number;
  /** Or by alpha / √rank (Kalajdzievski 2023, rsLoRA). */
  readonly rankStabilized: boolean;
  /** Share of its inputs that the product does not see in training. */
  readonly dropout: number;
  /**
   * Which matrices: names of modules, each the end of a path (`q_proj`, `0.mlp.up_proj`), in which `*` stands for anything;
   * or `all-linear`, every matrix inside the body.
   */
  readonly targets: readonly string[];
  /** Other ranks, by the end of a module's path, a regular expression. Default: none. */
  readonly rankPattern?: Readonly<Record<string, number>>;
  /** Other alphas, likewise. */
  readonly alphaPattern?: Readonly<Record<string, number>>;
}

/** A matrix that LoRA can stand beside. */
export interface LoraTarget {
  /** Path of the parameter without `.weight`. */
  readonly module: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Whether the weight is [in, out]. */
  readonly byColumns: boolean;
}

/** The two factors of a module's product. */
export interface LoraFactors<Leaf> {
  readonly down: Leaf;
  readonly up: Leaf;
}

/** What `all-linear` stands for, and what the targets are chosen from. */
export const allLinear = 'all-linear';

/** The matrices of a model that LoRA can stand beside, by module. */
export function loraTargets(specs: Iterable<ParameterSpec>): Map<string, LoraTarget & { readonly isHead: boolean }> {
  const found = new Map<string, LoraTarget & { readonly isHead: boolean }>();
  for (const { path, shape, role, inputs } of specs) {
    if (shape.length !== 2 || !path.endsWith('.weight')) continue;
    if (role !== 'matrix' && role !== 'output' && role !== 'head') continue;
    const [first, second] = shape as readonly [number, number];
    const byColumns = inputs !== undefined;
    const module = path.slice(0, -'.weight'.length);
    found.set(module, {
      module,
      inputs: byColumns ? first : second,
      outputs: byColumns ? second : first,
      byColumns,
      isHead: role === 'head' || module.startsWith('cls.') || module.startsWith('classifier.'),
    });
  }
  return found;
}

/** The matrices that `targets` names; throws where one names none. */
export function chosenTargets(specs: Iterable<ParameterSpec>, targets: readonly string[]): LoraTarget[] {
  const all = [...loraTargets(specs).values()];
  const chosen = new Set<LoraTarget>();
  for (const target of targets) {
    const named =
      target === allLinear ? all.filter(({ isHead }) => !isHead) : all.filter(({ module }) => isNamed(module, target));
    if (named.length === 0) {
      const ends = [...new Set(all.map(({ module }) => module.split('.').at(-1)!))];
      throw invalidInput(
        `adapter.targets: ${target} names no matrix of the model; there are ${ends.join(', ')}, or ${allLinear}`,
        { at: 'adapter.targets' },
      );
    }
    for (const each of named) chosen.add(each);
  }
  if (chosen.size === 0) throw invalidInput('adapter.targets names no matrix', { at: 'adapter.targets' });
  return all.filter((each) => chosen.has(each));
}

function isNamed(module: string, target: string): boolean {
  const pattern = target
    .split('*')
    .map((part) => part.replace(/[.\\+?^${}()|[\]]/g, '\\$&'))
    .join('.*');
  return new RegExp(`(^|\\.)${pattern}$`).test(module);
}

/** Parameters before the first step, at which the product is 0: A uniform in ±1/√inputs, B zero, as PEFT begins. */
export function initLora(config: LoraConfig, specs: Iterable<ParameterSpec>, random: Random): ParameterTree<NdArray> {
  const leaves = new Map<string, NdArray>();
  for (const { module, inputs, outputs } of chosenTargets(specs, config.targets)) {
    const rank = patternValue(config.rankPattern, module) ?? config.rank;
    const bound = 1 / Math.sqrt(inputs);
    const values = Float32Array.from({ length: rank * inputs }, () => (2 * random.uniform() - 1) * bound);
    leaves.set(`${module}.lora_A.weight`, floats([rank, inputs], values));
    leaves.set(`${module}.lora_B.weight`, floats([outputs, rank], new Float32Array(outputs * rank)));
  }
  return treeFromPaths(leaves) as ParameterTree<NdArray>;
}

/** The factors in a tree of parameters by module, and what stands in the place of other parameters by path. */
export function loraParts<Leaf>(
  parameters: ParameterTree<Leaf>,
  isLeaf: (value: unknown) => value is Leaf,
): { readonly factors: ReadonlyMap<string, LoraFactors<Leaf>>; readonly replaced: ReadonlyMap<string, Leaf> } {
  const found = new Map<string, Partial<Record<keyof LoraFactors<Leaf>, Leaf>>>();
  const replaced = new Map<string, Leaf>();
  for (const { path, leaf } of flatten<Leaf>(parameters, isLeaf)) {
    const [, module, side] = /^(.+)\.lora_([AB])\.weight$/.exec(path) ?? [];
    if (module === undefined) replaced.set(path, leaf);
    else found.set(module, { ...found.get(module), [side === 'A' ? 'down' : 'up']: leaf });
  }
  const factors = new Map<string, LoraFactors<Leaf>>();
  for (const [module, { down, up }] of found) {
    if (down === undefined || up === undefined)
      throw invalidInput(`adapter: ${module} has only one of lora_A and lora_B`, { at: module });
    factors.set(module, { down, up });
  }
  return { factors, replaced };
}

/** The factor of a module's product of this rank. */
export function loraScale(config: LoraConfig, module: string, rank: number): number {
  const alpha = patternValue(config.alphaPattern, module) ?? config.alpha;
  return alpha / (config.rankStabilized ? Math.sqrt(rank) : rank);
}

/** As PEFT looks patterns up: the first that matches the end of the path. */
function patternValue(patterns: Readonly<Record<string, number>> = {}, module: string): number | undefined {
  return Object.entries(patterns).find(([pattern]) => new RegExp(`^(.*\\.)?(${pattern})$`).test(module))?.[1];
}

/**
 * The model with the adapter beside its matrices, as the families read it. `key` (a random key): in training, whose
 * numbers choose what is dropped.
 */
export function withLora(
  weights: ParameterTree<Tensor>,
  parameters: ParameterTree<Tensor>,
  config: LoraConfig,
  key?: Tensor,
): ParameterTree<Tensor> {
  const { factors, replaced } = loraParts(parameters, isTensor);
  let uses = 0;
  const lowRanks = new Map<string, LowRank>();
  for (const [module, { down, up }] of factors) {
    const own = key && config.dropout > 0 ? foldIn(key, uses++) : undefined;
    const scale = loraScale(config, module, down.shape[0]!);
    lowRanks.set(module, { down, up, scale, ...(own && { drop: (x) => dropout(x, own, config.dropout) }) });
  }
  return withLowRanks(weights, lowRanks, replaced);
}

/** The tree with `lowRank` beside the weights of modules; every one of them must be there. */
export function withLowRanks(
  weights: ParameterTree<Tensor>,
  lowRanks: ReadonlyMap<string, LowRank>,
  replaced: ReadonlyMap<string, Tensor> = new Map(),
): ParameterTree<Tensor> {
  const left = new Set(lowRanks.keys());
  const walk = (value: unknown, path: string): unknown => {
    if (isTensor(value)) return replaced.get(path) ?? value;
    const below = (key: string | number): string => (path === '' ? String(key) : `${path}.${key}`);
    if (Array.isArray(value)) return value.map((child, i) => walk(child, below(i)));
    const children = Object.entries(value as object).map(([name, child]) => [name, walk(child, below(name))] as const);
    const lowRank = lowRanks.get(path);
    if (!lowRank) return Object.fromEntries(children);
    left.delete(path);
    return { ...Object.fromEntries(children), lowRank };
  };
  const result = walk(weights, '') as ParameterTree<Tensor>;
  for (const module of left) throw invalidInput(`adapter: the model has no ${module}`, { at: module });
  return result;
}

/**
 * What parameters become when the product is added to the weights (`sign` 1) or taken off (-1): those that it does not touch
 * are the same arrays. Sums are worked out in double precision and rounded once. Parameters that others stand in the place
 * of can be put in, and not be taken out again.
 */
export function loraMerger(
  parameters: ParameterTree<NdArray>,
  config: LoraConfig,
  specs: Iterable<ParameterSpec>,
  sign: 1 | -1 = 1,
): (path: string, parameter: NdArray) => NdArray {
  const { factors, replaced } = loraParts(parameters, isNdArray);
  const [first] = replaced.keys();
  if (sign === -1 && first !== undefined) {
    throw invalidInput(`adapter: it has put a ${first} of its own in the place of the model's, which is gone`, {
      at: first,
    });
  }
  const targets = loraTargets(specs);
  for (const module of factors.keys())
    if (!targets.has(module)) throw invalidInput(`adapter: the model has no ${module}`, { at: module });
  return (path, parameter) => {
    const module = path.replace(/\.weight$/, '');
    const own = module === path ? undefined : factors.get(module);
    if (!own) return replaced.get(path) ?? parameter;
    const scale = sign * loraScale(config, module, own.down.shape[0]!);
    return addProduct(parameter, own, targets.get(module)!, scale);
  };
}

/** Weights with the product added or taken off: see `loraMerger`. */
export function mergeLora(
  weights: ModelWeights,
  parameters: ParameterTree<NdArray>,
  config: LoraConfig,
  specs: Iterable<ParameterSpec>,
  sign: 1 | -1 = 1,
): ModelWeights {
  const merge = loraMerger(parameters, config, specs, sign);
  return mapTree(weights, isNdArray, (leaf, path) => merge(path, leaf)) as ModelWeights;
}

function addProduct(
  { shape, data }: NdArray,
  { down, up }: LoraFactors<NdArray>,
  { inputs, outputs, byColumns }: LoraTarget,
  scale: number,
): NdArray {
  const rank = down.shape[0]!;
  const result = new Float32Array(sizeOf(shape));
  const row = new Float64Array(inputs);
  for (let out = 0; out < outputs; out++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = scale * up.data[out * rank + r]!;
      if (factor === 0) continue;
      for (let i = 0; i < inputs; i++) row[i]! += factor * down.data[r * inputs + i]!;
    }
    for (let i = 0; i < inputs; i++) {
      const at = byColumns ? i * outputs + out : out * inputs + i;
      result[at] = data[at]! + row[i]!;
    }
  }
  return floats(shape, result);
}
