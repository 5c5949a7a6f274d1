import {
  decode,
  decodeStep,
  headSize,
  hiddenRows,
  languageLogits,
  type ModelWeights,
  type DecoderConfig,
} from '@crucible/nn';
import { compile, type Tensor, type TensorType } from '@crucible/tensor';
import { ProgramCache } from './program-cache.ts';
import { sampleInGraph } from './sample-in-graph.ts';

export interface ProgramOptions {
  /** Threads within an operator. Default: one per core. */
  readonly threads?: number;
}

const ints = (...shape: number[]): TensorType => ({ shape, dtype: 'int32' });
const floats = (...shape: number[]): TensorType => ({ shape, dtype: 'float32' });

interface PrefillSignature {
  readonly weights: ModelWeights;
  /** Prompts, padded on the right, int32 [rows, time]. */
  readonly ids: TensorType;
  /** For each answer, the index of its prompt's last token, counted over all rows, int32 [answers]. */
  readonly last: TensorType;
  readonly temperature: TensorType;
  readonly uniform: TensorType;
}

interface StepSignature {
  readonly weights: ModelWeights;
  readonly ids: TensorType;
  readonly lengths: TensorType;
  readonly keys: readonly TensorType[];
  readonly values: readonly TensorType[];
  readonly temperature: TensorType;
  readonly uniform: TensorType;
}

interface StepResult {
  /** New keys and values of every layer. */
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
  /** By (rows, time, answers, sampled 0 | 1): whole prompts, each of one answer or more. */
  readonly prefill: ProgramCache<
    [rows: number, time: number, answers: number, sampled: number],
    PrefillSignature,
    StepResult
  >;
  /** By (batch, capacity, sampled 0 | 1): one token for each row. */
  readonly step: ProgramCache<[batch: number, capacity: number, sampled: number], StepSignature, StepResult>;
}

export function createLanguagePrograms(
  weights: ModelWeights,
  config: DecoderConfig,
  options: ProgramOptions = {},
): LanguagePrograms {
  const prefill: LanguagePrograms['prefill'] = new ProgramCache((rows, time, answers, sampled) => {
    const signature: PrefillSignature = {
      weights,
      ids: ints(rows, time),
      last: ints(answers),
      temperature: floats(answers),
      uniform: floats(answers),
    };
    return compile(
      signature,
      (inputs) => {
        const { hidden, cache } = decode(inputs.weights, config, { ids: inputs.ids });
        const logits = languageLogits(inputs.weights, config, hiddenRows(hidden, inputs.last));
        return { ...cache, ...choice(logits, inputs, sampled) };
      },
      { ...options, name: 'prefill' },
    );
  });

  const step: LanguagePrograms['step'] = new ProgramCache((batch, capacity, sampled) => {
    const cached = floats(batch, config.keyValueHeads, capacity, headSize(config));
    const signature: StepSignature = {
      weights,
      ids: ints(batch),
      lengths: ints(batch),
      keys: Array.from({ length: config.layers }, () => cached),
      values: Array.from({ length: config.layers }, () => cached),
      temperature: floats(batch),
      uniform: floats(batch),
    };
    return compile(
      signature,
      (inputs) => {
        const { logits, newKeys, newValues } = decodeStep(inputs.weights, config, inputs);
        return { keys: newKeys, values: newValues, ...choice(logits, inputs, sampled) };
      },
      { ...options, name: 'decode step' },
    );
  });

  return { prefill, step };
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
