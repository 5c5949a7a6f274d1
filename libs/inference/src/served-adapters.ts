/**
 * The adapters of one model, as programs take them. Those of low rank lie side by side: their factors are joined into one
 * pair a matrix, and each row of a batch has a gate, 1 where its own adapter lies and 0 elsewhere. So rows of several
 * adapters and of none are decoded together. Virtual tokens are keys and values that a row begins with.
 */
import { invalidInput } from '@crucible/foundation';
import {
  type AdapterConfig,
  loraParts,
  loraScale,
  type ParameterTree,
  virtualPrefix,
  withQuantized,
} from '@crucible/nn';
import type { ServedModel } from './cohort.ts';
import { compile, floats, isNdArray, type NdArray, type Tensor } from '@crucible/tensor';

export interface ServedAdapter {
  readonly name: string;
  readonly version: number;
  readonly config: AdapterConfig;
  readonly parameters: ParameterTree<NdArray>;
}

/** The joined factors of every matrix that an adapter stands beside, by its module. */
export type JoinedFactors = Readonly<Record<string, { readonly down: NdArray; readonly up: NdArray }>>;

/** Keys and values of virtual tokens, [1, keyValueHeads, n, headSize] a layer. */
export interface PrefixArrays {
  readonly keys: readonly NdArray[];
  readonly values: readonly NdArray[];
}

export interface AdapterSet {
  readonly factors: JoinedFactors;
  /** Width of a gate; 0 without adapters of low rank. */
  readonly rank: number;
  /** Virtual tokens of an adapter, by its name; of others there are none. */
  readonly prefixes: ReadonlyMap<string, PrefixArrays>;
  readonly versions: ReadonlyMap<string, number>;
  /** Writes the gate of an adapter, by its name; all 0 without. */
  readonly openGate: (gate: Float32Array, adapter: string | undefined) => void;
}

/** Joined ranks are padded to a multiple of this, so that programs serve when an adapter comes, goes or changes. */
const rankStep = 16;

export const noAdapters: AdapterSet = {
  factors: {},
  rank: 0,
  prefixes: new Map(),
  versions: new Map(),
  openGate: () => undefined,
};

/** Makes a set of adapters ready to be run with the model. */
export async function prepareAdapters(
  adapters: readonly ServedAdapter[],
  base: Pick<ServedModel, 'weights' | 'config' | 'quantized'>,
): Promise<AdapterSet> {
  const prefixes = new Map<string, PrefixArrays>();
  const places = new Map<string, { readonly start: number; readonly end: number }>();
  const low: { readonly start: number; readonly adapter: ServedAdapter }[] = [];
  let used = 0;
  for (const adapter of adapters) {
    if (adapter.config.kind !== 'lora') {
      prefixes.set(adapter.name, await prefixOf(adapter, base));
      continue;
    }
    const { factors, replaced } = loraParts(adapter.parameters, isNdArray);
    const [first] = replaced.keys();
    if (first !== undefined || factors.has('lm_head')) {
      throw invalidInput(
        `adapter ${adapter.name} changes ${first ?? 'lm_head.weight'}, which the rows of a batch share; merge it into its base to serve it`,
        { at: 'adapter' },
      );
    }
    const rank = Math.max(...Array.from(factors.values(), ({ down }) => down.shape[0]!));
    low.push({ start: used, adapter });
    places.set(adapter.name, { start: used, end: (used += rank) });
  }
  const rank = rankStep * Math.ceil(used / rankStep);
  return {
    factors: joined(low, rank),
    rank,
    prefixes,
    versions: new Map(adapters.map(({ name, version }) => [name, version])),
    openGate: (gate, name) => {
      const place = name === undefined ? undefined : places.get(name);
      if (place) gate.fill(1, place.start, place.end);
    },
  };
}

function joined(
  adapters: readonly { readonly start: number; readonly adapter: ServedAdapter }[],
  rank: number,
): JoinedFactors {
  const result: Record<string, { down: NdArray; up: NdArray }> = {};
  for (const { start, adapter } of adapters) {
    if (adapter.config.kind !== 'lora') continue;
    for (const [module, { down, up }] of loraParts(adapter.parameters, isNdArray).factors) {
      const [own, inputs] = down.shape as [number, number];
      const outputs = up.shape[0]!;
      const scale = loraScale(adapter.config, module, own);
      result[module] ??= {
        down: floats([rank, inputs], new Float32Array(rank * inputs)),
        up: floats([outputs, rank], new Float32Array(outputs * rank)),
      };
      const { down: allDown, up: allUp } = result[module];
      (allDown.data as Float32Array).set(down.data, start * inputs);
      for (let out = 0; out < outputs; out++)
        for (let r = 0; r < own; r++) allUp.data[out * rank + start + r] = scale * up.data[out * own + r]!;
    }
  }
  return result;
}

async function prefixOf(
  { config, parameters }: ServedAdapter,
  { weights, config: model, quantized = new Map() }: Pick<ServedModel, 'weights' | 'config' | 'quantized'>,
): Promise<PrefixArrays> {
  if (config.kind === 'lora') throw new Error('internal: lora has no virtual tokens');
  const program = await compile(
    { weights, parameters },
    (given) =>
      virtualPrefix(
        withQuantized(given.weights as ParameterTree<Tensor>, quantized),
        model,
        given.parameters as ParameterTree<Tensor>,
        config,
      ),
    { name: 'virtual tokens' },
  );
  try {
    return await program.run({ weights, parameters });
  } finally {
    await program.dispose();
  }
}
