import {
  decode,
  decodeStep,
  headSize,
  hiddenRows,
  languageLogits,
  type ModelWeights,
  type ParameterTree,
  withLowRanks,
  withQuantized,
} from '@crucible/nn';
import {
  canStay,
  chooseDevice,
  compile,
  type Device,
  type DeviceChoice,
  equal,
  range,
  reshape,
  type Tensor,
  type TensorType,
  where,
} from '@crucible/tensor';
import { CachePrograms } from './device-key-value-cache.ts';
import { ProgramCache } from './program-cache.ts';
import type { ServedModel } from './cohort.ts';
import { type JoinedFactors, noAdapters } from './served-adapters.ts';
import { sampleInGraph } from './sample-in-graph.ts';

export interface ProgramOptions {
  /** Where programs run, and where weights and the key-value cache are. Default: `cpu`. */
  readonly device?: DeviceChoice;
  /** Threads within an operator. Default: one per core. */
  readonly threads?: number;
}

const ints = (...shape: number[]): TensorType => ({ shape, dtype: 'int32' });
const floats = (...shape: number[]): TensorType => ({ shape, dtype: 'float32' });

/** What of the adapters programs take, beside the weights. */
interface AdapterSignature {
  readonly factors: JoinedFactors;
  /** Which of the joined ranks a row uses, [rows, 1, rank]; none without adapters of low rank. */
  readonly gates: readonly TensorType[];
}

interface PrefillSignature extends AdapterSignature {
  readonly weights: ModelWeights;
  /** Virtual tokens before all prompts, a [1, keyValueHeads, n, headSize] a layer; none without. */
  readonly prefix: { readonly keys: readonly TensorType[]; readonly values: readonly TensorType[] };
  /** Prompts, padded on the right, int32 [rows, time]. */
  readonly ids: TensorType;
  /** For each answer, the index of its prompt's last token, counted over all rows, int32 [answers]. */
  readonly last: TensorType;
  readonly temperature: TensorType;
  readonly uniform: TensorType;
}

interface StepSignature extends AdapterSignature {
  readonly weights: ModelWeights;
  readonly ids: TensorType;
  readonly lengths: TensorType;
  readonly keys: readonly TensorType[];
  readonly values: readonly TensorType[];
  readonly temperature: TensorType;
  readonly uniform: TensorType;
}

interface StepResult {
  /**
   * Of every layer: what goes into the cache, a prompt's [rows, keyValueHeads, time, headSize], of a step [batch,
   * keyValueHeads · headSize]; or, where the cache stays on the device, the whole cache after the step.
   */
  readonly keys: readonly Tensor[];
  readonly values: readonly Tensor[];
  /** Either the choices, ids int32 [batch] and log-probabilities [batch], … */
  readonly chosen: readonly Tensor[];
  /** … or the logits [batch, vocabulary]. */
  readonly logits: readonly Tensor[];
}

/**
 * The two programs of generation, for weights of one shape. Both sample in the graph when asked to, and otherwise give
 * the logits out (for top-k, top-p and alternatives, which the host works out).
 */
export interface LanguagePrograms {
  /** By (rows, time, answers, sampled 0 | 1, virtual tokens): whole prompts, each of one answer or more. */
  readonly prefill: ProgramCache<
    [rows: number, time: number, answers: number, sampled: number, virtual: number],
    PrefillSignature,
    StepResult,
    Cached
  >;
  /** By (batch, capacity, sampled 0 | 1): one token for each row. */
  readonly step: ProgramCache<[batch: number, capacity: number, sampled: number], StepSignature, StepResult, Cached>;
  /** The device of the programs, and what moves rows of a cache in its memory; none where the cache is the host's. */
  readonly place: () => Promise<{ readonly device: Device; readonly cache: CachePrograms | undefined }>;
  readonly dispose: () => Promise<void>;
}

/** Programs that are kept of a model with matrices of few bits: each has its own copy of them. */
const mostQuantized = 4;

type Cached = 'keys' | 'values';

export function createLanguagePrograms(
  { weights, quantized = new Map(), config, adapters = noAdapters }: Omit<ServedModel, 'version'>,
  options: ProgramOptions = {},
): LanguagePrograms {
  const most = quantized.size === 0 ? undefined : mostQuantized;
  const { factors, rank } = adapters;
  const read = (inputs: Gated): ParameterTree<Tensor> =>
    gated({ ...inputs, weights: withQuantized(inputs.weights, quantized) });
  const gatesOf = (rows: number): TensorType[] => (rank === 0 ? [] : [floats(rows, 1, rank)]);
  const layers = <T>(each: T): T[] => Array.from({ length: config.layers }, () => each);
  const keep = ['keys', 'values'] as const;
  let cache: CachePrograms | undefined;
  const place: LanguagePrograms['place'] = async () => {
    const { device } = await chooseDevice(options.device ?? 'cpu');
    if (canStay(floats(1), device)) cache ??= new CachePrograms(config, device);
    return { device, cache };
  };

  const prefill: LanguagePrograms['prefill'] = new ProgramCache((rows, time, answers, sampled, virtual) => {
    const before = virtual === 0 ? [] : layers(floats(1, config.keyValueHeads, virtual, headSize(config)));
    const signature: PrefillSignature = {
      weights,
      factors,
      gates: gatesOf(rows),
      prefix: { keys: before, values: before },
      ids: ints(rows, time),
      last: ints(answers),
      temperature: floats(answers),
      uniform: floats(answers),
    };
    return compile(
      signature,
      (inputs) => {
        const adapted = read(inputs);
        const prefix = virtual === 0 ? undefined : inputs.prefix;
        const { hidden, cache } = decode(adapted, config, { ids: inputs.ids, prefix });
        const logits = languageLogits(adapted, config, hiddenRows(hidden, inputs.last));
        return { ...cache, ...choice(logits, inputs, sampled) };
      },
      { ...options, keep, name: 'prefill' },
    );
  }, most);

  const step: LanguagePrograms['step'] = new ProgramCache(async (batch, capacity, sampled) => {
    const staysOnDevice = (await place()).cache !== undefined;
    const cached = floats(batch, config.keyValueHeads, capacity, headSize(config));
    const signature: StepSignature = {
      weights,
      factors,
      gates: gatesOf(batch),
      ids: ints(batch),
      lengths: ints(batch),
      keys: layers(cached),
      values: layers(cached),
      temperature: floats(batch),
      uniform: floats(batch),
    };
    return compile(
      signature,
      (inputs) => {
        const { logits, newKeys, newValues } = decodeStep(read(inputs), config, inputs);
        const chosen = choice(logits, inputs, sampled);
        if (!staysOnDevice) return { keys: newKeys, values: newValues, ...chosen };
        const grown = (arena: Tensor, i: number, rows: readonly Tensor[]): Tensor =>
          withToken(arena, rows[i]!, inputs.lengths);
        return {
          keys: inputs.keys.map((arena, i) => grown(arena, i, newKeys)),
          values: inputs.values.map((arena, i) => grown(arena, i, newValues)),
          ...chosen,
        };
      },
      { ...options, keep, name: 'decode step' },
    );
  }, most);

  const dispose = async (): Promise<void> => {
    await prefill.dispose();
    await step.dispose();
    await cache?.dispose();
  };
  return { prefill, step, place, dispose };
}

/** A cache [batch, heads, capacity, size] with one token more: row [batch, heads · size] at place lengths[i] of row i. */
function withToken(arena: Tensor, row: Tensor, lengths: Tensor): Tensor {
  const [batch, heads, capacity, size] = arena.shape as [number, number, number, number];
  const places = reshape(range(arena.graph, capacity), [1, 1, capacity, 1]);
  return where(equal(places, reshape(lengths, [batch, 1, 1, 1])), reshape(row, [batch, heads, 1, size]), arena);
}

interface Gated {
  readonly weights: ParameterTree<Tensor>;
  readonly factors: Readonly<Record<string, { readonly down: Tensor; readonly up: Tensor }>>;
  readonly gates: readonly Tensor[];
}

/** The model with the joined adapters beside its matrices, of which each row sees its own. */
function gated({ weights, factors, gates: [gate] }: Gated): ParameterTree<Tensor> {
  if (!gate) return weights;
  return withLowRanks(
    weights,
    new Map(Object.entries(factors).map(([module, own]) => [module, { ...own, scale: gate }])),
  );
}

function choice(
  logits: Tensor,
  { temperature, uniform }: { readonly temperature: Tensor; readonly uniform: Tensor },
  sampled: number,
): Pick<StepResult, 'chosen' | 'logits'> {
  if (sampled === 0) return { chosen: [], logits: [logits] };
  const { ids, logProbabilities } = sampleInGraph(logits, temperature, uniform);
  return { chosen: [ids, logProbabilities], logits: [] };
}
