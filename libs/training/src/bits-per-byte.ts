import {
  decode,
  type DecoderConfig,
  type ModelWeights,
  type ParameterTree,
  predictionsOf,
  type Recompute,
} from '@crucible/nn';
import {
  type AnyArray,
  compile,
  type CompiledProgram,
  type DeviceChoice,
  itemOf,
  mul,
  sum,
  type Tensor,
  type NdArray,
  type TensorType,
  tokenLogProbability,
  type TreeLike,
} from '@crucible/tensor';
import { windowBatch } from './batches/token-windows.ts';

/**
 * Held-out text: its tokens, and how many bytes of UTF-8 they stand for. The first token is the mark of a beginning and
 * stands for none.
 */
export interface ValidationText {
  readonly tokens: Int32Array;
  readonly bytes: number;
}

interface PredictedWindow {
  readonly ids: Tensor;
  readonly targets: Tensor;
  /** Default: none. */
  readonly recompute?: Recompute;
}

/** Mean cross-entropy in nats of every next token of a batch: ids and targets int32 [rows, time]. */
export function meanPredictionLoss(
  model: ParameterTree<Tensor>,
  config: DecoderConfig,
  { ids, targets, recompute = 'none' }: PredictedWindow,
): Tensor {
  const { hidden, head } = predictionsOf(model, config, decode(model, config, { ids, recompute }).hidden);
  const logProbabilities = tokenLogProbability(hidden, head, targets);
  return mul(sum(logProbabilities), -1 / (ids.shape[0]! * ids.shape[1]!));
}

interface Signature {
  readonly weights: ModelWeights;
  readonly ids: TensorType;
  readonly targets: TensorType;
}

/**
 * Cross-entropy of a text in bits a byte, which compares models with different tokenizers. The text is cut into windows
 * side by side, each predicted from its own beginning. Owns a compiled program: dispose of it.
 */
export class BitsPerByte {
  readonly #config: DecoderConfig;
  readonly #text: ValidationText;
  readonly #rows: number;
  readonly #time: number;
  readonly #batches: number;
  readonly #device: DeviceChoice;
  #program: CompiledProgram<Signature, { readonly loss: Tensor }> | undefined;

  /** `batches` of `rows` × `time` tokens at most (default: 8); fewer where the text is shorter. `device`: default cpu. */
  constructor(
    config: DecoderConfig,
    text: ValidationText,
    {
      rows,
      time,
      batches = 8,
      device = 'cpu',
    }: { readonly rows: number; readonly time: number; readonly batches?: number; readonly device?: DeviceChoice },
  ) {
    const windows = Math.floor((text.tokens.length - 1) / time);
    this.#config = config;
    this.#text = text;
    this.#device = device;
    // A text of less than one window is one short window; of less than one batch, one smaller batch.
    this.#time = windows === 0 ? Math.max(1, text.tokens.length - 1) : time;
    this.#rows = Math.max(1, Math.min(rows, windows));
    this.#batches = Math.max(1, Math.min(batches, Math.floor(windows / rows)));
  }

  /** Of weights on the host, or on the device that the programs run on. */
  async measure(weights: TreeLike<ModelWeights, NdArray, AnyArray>): Promise<number> {
    const { tokens, bytes } = this.#text;
    const [rows, time] = [this.#rows, this.#time];
    const type: TensorType = { shape: [rows, time], dtype: 'int32' };
    this.#program ??= await compile<Signature, { loss: Tensor }>(
      { weights: weights as ModelWeights, ids: type, targets: type },
      (symbols) => ({ loss: meanPredictionLoss(symbols.weights, this.#config, symbols) }),
      { name: 'validation', device: this.#device },
    );
    let nats = 0;
    for (let n = 0; n < this.#batches; n++) {
      const { ids, targets } = windowBatch(rows, time, (row, window) => {
        const start = (n * rows + row) * time;
        window.set(tokens.subarray(start, start + time + 1));
      });
      nats += itemOf((await this.#program.run({ weights, ids, targets })).loss);
    }
    return (nats / this.#batches) * ((tokens.length - 1) / bytes) * Math.LOG2E;
  }

  async dispose(): Promise<void> {
    await this.#program?.dispose();
    this.#program = undefined;
  }
}
