/**
 * A language model in few bits. A group of layers after the other: what its matrices multiply comes from the groups before it
 * as they are by then, so that later ones make up for the errors of earlier ones.
 */
import { invalidInput, throwIfCancelled } from '@crucible/foundation';
import {
  decode,
  type DecoderConfig,
  decoderParameters,
  embeddingsOf,
  ErrorMinimizer,
  languageLogits,
  loraTargets,
  type LoraTarget,
  type ModelWeights,
  type QuantizedWeights,
  roundToNearest,
  withoutMatrices,
  withQuantized,
  withTaps,
} from '@crucible/nn';
import {
  compile,
  flatten,
  ints,
  isNdArray,
  logProbability,
  matmul,
  mean,
  type NdArray,
  type QuantizedBits,
  type QuantizedMatrix,
  reshape,
  type Tensor,
} from '@crucible/tensor';
import type { ProgramOptions } from './language-programs.ts';

export type QuantizationMethod = 'rtn' | 'gptq';

export const quantizationMethods = ['rtn', 'gptq'] as const satisfies readonly QuantizationMethod[];

export interface QuantizeOptions extends ProgramOptions {
  /** Of the matrices inside the body. */
  readonly bits: QuantizedBits;
  /** Of the head that predicts tokens; 32 leaves it as it is. Embeddings always stay. */
  readonly headBits: QuantizedBits | 32;
  /** `rtn`: each number to the nearest. `gptq`: such that the products come out right on a calibration text. */
  readonly method: QuantizationMethod;
  /** Of gptq: token ids in rows of one length. */
  readonly calibration?: readonly Int32Array[];
  readonly signal?: AbortSignal;
  /** Told after each group of layers, and after the head. */
  readonly report?: (progress: { readonly done: number; readonly groups: number }) => void;
}

/** A model's weights without its quantised matrices, and those. */
export interface QuantizedModel {
  readonly weights: ModelWeights;
  readonly quantized: QuantizedWeights;
}

/** Rows of a pass over the calibration text. */
const rowsAtOnce = 4;

export async function quantizeModel(
  weights: ModelWeights,
  config: DecoderConfig,
  { bits, headBits, method, calibration = [], signal, report, ...options }: QuantizeOptions,
): Promise<QuantizedModel> {
  if (method === 'gptq' && calibration.length === 0)
    throw invalidInput('gptq needs a calibration text; rtn does without', { at: 'calibration' });
  const matrices = new Map(flatten<NdArray>(weights, isNdArray).map(({ path, leaf }) => [path, leaf]));
  const groups = groupsOf(config);
  const head = headBits === 32 ? [] : [headOf(config)];
  const quantized = new Map<string, QuantizedMatrix>();
  const all = [
    ...groups.map((targets) => ({ targets, bits })),
    ...head.map((target) => ({ targets: [target], bits: headBits as QuantizedBits })),
  ];
  for (const [n, { targets, bits: own }] of all.entries()) {
    throwIfCancelled(signal, 'quantisation');
    const valuesOf = ({ module, inputs, outputs, byColumns }: LoraTarget): Float32Array => {
      const matrix = matrices.get(`${module}.weight`) ?? embeddingsOf<NdArray>(weights, config);
      return byColumns ? transposed(matrix.data as Float32Array, inputs, outputs) : (matrix.data as Float32Array);
    };
    if (method === 'rtn') {
      for (const target of targets) {
        const size = { rows: target.outputs, columns: target.inputs, bits: own };
        quantized.set(target.module, roundToNearest(valuesOf(target), size));
      }
    } else {
      const shared = await gramMatrices(weights, config, quantized, targets, calibration, options);
      const made: [string, QuantizedMatrix][] = [];
      for (const { gram, members } of shared) {
        const minimizer = new ErrorMinimizer(gram, members[0]!.inputs);
        for (const target of members) {
          throwIfCancelled(signal, 'quantisation');
          made.push([target.module, minimizer.quantize(valuesOf(target), target.outputs, own)]);
        }
      }
      for (const [module, matrix] of made) quantized.set(module, matrix);
    }
    report?.({ done: n + 1, groups: all.length });
  }
  return { weights: withoutMatrices(weights, quantized), quantized };
}

/** Passes over the calibration text, each from the beginning of the model: of deep models, several layers share one. */
const mostPasses = 8;

/** The matrices inside the body, a group of layers after the other. */
function groupsOf(config: DecoderConfig): LoraTarget[][] {
  const targets = [...loraTargets(decoderParameters(config, { kind: 'language' })).values()];
  const body = targets.filter(({ isHead }) => !isHead);
  const together = Math.ceil(config.layers / mostPasses);
  const layerOf = (module: string): number => Number(/\.(\d+)\./.exec(module)?.[1] ?? 0);
  return [...Map.groupBy(body, ({ module }) => Math.floor(layerOf(module) / together)).values()];
}

function headOf({ hiddenSize, vocabularySize }: DecoderConfig): LoraTarget {
  return { module: 'lm_head', inputs: hiddenSize, outputs: vocabularySize, byColumns: false };
}

interface Group {
  /** Σ xᵀx of what its members multiply. */
  readonly gram: Float64Array;
  readonly members: readonly LoraTarget[];
}

/** Matrices that multiply the same share a Gram matrix. */
async function gramMatrices(
  weights: ModelWeights,
  config: DecoderConfig,
  quantized: QuantizedWeights,
  targets: readonly LoraTarget[],
  calibration: readonly Int32Array[],
  options: ProgramOptions,
): Promise<Group[]> {
  const time = calibration[0]!.length;
  const rest = withoutMatrices(weights, quantized);
  const members = new Map<Tensor, LoraTarget[]>();
  const byModule = new Map(targets.map((target) => [target.module, target]));
  const rows = Math.min(rowsAtOnce, calibration.length);
  const program = await compile(
    { weights: rest, ids: ints([rows, time], new Int32Array(rows * time)) },
    (given) => {
      const present = withQuantized(given.weights, quantized);
      const tell = (module: string, x: Tensor): void => {
        members.set(x, [...(members.get(x) ?? []), byModule.get(module)!]);
      };
      const isHead = byModule.has('lm_head');
      const tapped = isHead ? present : withTaps(present, byModule.keys(), tell);
      const { hidden } = decode(tapped, config, { ids: given.ids });
      if (isHead) tell('lm_head', hidden);
      return Array.from(members.keys(), (x) => {
        const flat = reshape(x, [-1, x.shape.at(-1)!]);
        return matmul(flat, flat, { transposeA: true });
      });
    },
    { ...options, name: 'calibration' },
  );
  try {
    const groups = Array.from(members.values(), (own): Group => {
      return { gram: new Float64Array(own[0]!.inputs ** 2), members: own };
    });
    for (let first = 0; first + rows <= calibration.length; first += rows) {
      const ids = new Int32Array(rows * time);
      calibration.slice(first, first + rows).forEach((row, i) => ids.set(row, i * time));
      const grams = await program.run({ weights: rest, ids: ints([rows, time], ids) });
      groups.forEach(({ gram }, i) => {
        const { data } = grams[i]!;
        for (let j = 0; j < gram.length; j++) gram[j]! += data[j]!;
      });
    }
    return groups;
  } finally {
    await program.dispose();
  }
}

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result[j * rows + i] = values[i * columns + j]!;
  return result;
}

/** e to the mean of -log p of every token after the first of each row; rows have one length. */
export async function perplexity(
  { weights, quantized }: QuantizedModel,
  config: DecoderConfig,
  rows: readonly Int32Array[],
  options: ProgramOptions = {},
): Promise<number> {
  const time = rows[0]!.length - 1;
  const line = ints([1, time], new Int32Array(time));
  const program = await compile(
    { weights, ids: line, targets: line },
    (given) => {
      const present = withQuantized(given.weights, quantized);
      const logits = languageLogits(present, config, decode(present, config, { ids: given.ids }).hidden);
      return { value: mean(logProbability(logits, given.targets)) };
    },
    { ...options, name: 'perplexity' },
  );
  try {
    let total = 0;
    for (const row of rows) {
      const inputs = { ids: ints([1, time], row.slice(0, -1)), targets: ints([1, time], row.slice(1)) };
      total -= (await program.run({ weights, ...inputs })).value.data[0]!;
    }
    return Math.exp(total / rows.length);
  } finally {
    await program.dispose();
  }
}
