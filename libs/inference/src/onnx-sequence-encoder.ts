/**
 * Like `SequenceEncoder`, by an encoder that somebody else has exported to ONNX (transformers, Optimum, our own export). Its
 * inputs are those of transformers; its output is a vector a sequence, or the states of the tokens, which are pooled here.
 */
import type { CrucibleError } from '@crucible/foundation';
import { invalidInput } from '@crucible/foundation';
import type { Pooling } from '@crucible/nn';
import { ints, type NdArray, OnnxModel, type OnnxValue } from '@crucible/tensor';
import type { EncoderSequence, SequenceHead } from './sequence-encoder.ts';

/** Sequences of one pass, and tokens of one pass counted with padding. */
const mostRows = 64;
const mostTokens = 4096;
const knownInputs = ['input_ids', 'attention_mask', 'token_type_ids', 'position_ids'];

export interface OnnxEncoderOptions {
  readonly head: SequenceHead;
  /** The token that fills up. Default: 0. */
  readonly padId?: number;
}

export class OnnxSequenceEncoder {
  /** Of one sequence; undefined: the file does not say. */
  readonly width: number | undefined;
  /** Tokens that a sequence must be filled up to, where the file was exported for one length alone. */
  readonly fixedTime: number | undefined;
  readonly #model: OnnxModel;
  readonly #head: SequenceHead;
  readonly #padId: number;
  readonly #output: OnnxValue;
  readonly #fixedRows: number | undefined;

  private constructor(model: OnnxModel, { head, padId = 0 }: OnnxEncoderOptions) {
    this.#model = model;
    this.#head = head;
    this.#padId = padId;
    const inputs = model.inputs.map(({ name }) => name);
    const unknown = inputs.find((name) => !knownInputs.includes(name));
    if (unknown !== undefined) throw refusal(model, `it takes ${unknown}; known are ${knownInputs.join(', ')}`);
    const ids = model.inputs.find(({ name }) => name === 'input_ids');
    if (ids?.shape.length !== 2) throw refusal(model, 'it takes no input_ids of the shape [batch, sequence]');
    const [rows, time] = ids.shape;
    this.#fixedRows = sizeOf(rows);
    this.fixedTime = sizeOf(time);
    this.#output = outputOf(model, head);
    this.width = sizeOf(this.#output.shape.at(-1));
  }

  /** Throws `invalid-input` when the file is no encoder of the kind that `head` says. */
  static async open(path: string, options: OnnxEncoderOptions): Promise<OnnxSequenceEncoder> {
    const model = await OnnxModel.open(path);
    try {
      return new OnnxSequenceEncoder(model, options);
    } catch (reason) {
      await model.dispose();
      throw reason;
    }
  }

  /** The vectors of all sequences, in their order. Calls must not overlap. */
  async encode(sequences: readonly EncoderSequence[]): Promise<Float32Array[]> {
    const tooLong = sequences.find(({ ids }) => ids.length > (this.fixedTime ?? Infinity));
    if (tooLong) throw refusal(this.#model, `it holds ${this.fixedTime} tokens, and a text has ${tooLong.ids.length}`);
    const order = sequences
      .map((_sequence, i) => i)
      .sort((a, b) => sequences[a]!.ids.length - sequences[b]!.ids.length);
    const result = new Array<Float32Array>(sequences.length);
    while (order.length > 0) {
      let count = 1;
      const most = Math.min(order.length, this.#fixedRows ?? mostRows);
      while (count < most && sequences[order[count]!]!.ids.length * (count + 1) <= mostTokens) count++;
      const chosen = order.splice(0, count);
      const vectors = await this.#pass(chosen.map((i) => sequences[i]!));
      chosen.forEach((i, row) => (result[i] = vectors[row]!));
    }
    return result;
  }

  dispose(): Promise<void> {
    return this.#model.dispose();
  }

  async #pass(sequences: readonly EncoderSequence[]): Promise<Float32Array[]> {
    const rows = this.#fixedRows ?? sequences.length;
    const time = this.fixedTime ?? Math.max(...sequences.map(({ ids }) => ids.length));
    const grids: Readonly<Record<string, Int32Array>> = {
      input_ids: new Int32Array(rows * time).fill(this.#padId),
      attention_mask: new Int32Array(rows * time),
      token_type_ids: new Int32Array(rows * time),
      position_ids: Int32Array.from({ length: rows * time }, (_, i) => i % time),
    };
    // Rows that only fill up see one token: none at all would be a division by zero.
    for (let row = 0; row < rows; row++) {
      const { ids, types } = sequences[row] ?? { ids: [this.#padId] };
      grids['input_ids']!.set(ids, row * time);
      grids['token_type_ids']!.set(types ?? [], row * time);
      grids['attention_mask']!.fill(1, row * time, row * time + ids.length);
    }
    const feeds = Object.fromEntries(this.#model.inputs.map(({ name }) => [name, ints([rows, time], grids[name]!)]));
    const [output] = await this.#model.run(feeds, [this.#output.name]);
    return sequences.map(({ ids }, row) => this.#vectorOf(output!, row, ids.length));
  }

  #vectorOf({ shape, data }: NdArray, row: number, length: number): Float32Array {
    const width = shape.at(-1)!;
    const values = data as Float32Array;
    if (shape.length === 2) return values.slice(row * width, (row + 1) * width);
    if (this.#head.kind !== 'embedding') throw new Error('internal: the states of a classifier were asked for');
    const start = row * shape[1]! * width;
    return poolStates(values.subarray(start, start + length * width), width, this.#head.pooling);
  }
}

/** The states of the real tokens of one sequence as a vector; see `Pooling`. */
function poolStates(states: Float32Array, width: number, { mode, normalize }: Pooling): Float32Array {
  const count = states.length / width;
  const pooled = new Float64Array(width);
  if (mode === 'cls') pooled.set(states.subarray(0, width));
  else if (mode === 'max') {
    pooled.fill(-Infinity);
    states.forEach((value, i) => (pooled[i % width] = Math.max(pooled[i % width]!, value)));
  } else {
    states.forEach((value, i) => (pooled[i % width]! += value));
    const divisor = mode === 'mean' ? count : Math.sqrt(count);
    for (let i = 0; i < width; i++) pooled[i]! /= divisor;
  }
  const length = normalize ? Math.max(Math.hypot(...pooled), 1e-12) : 1;
  return Float32Array.from(pooled, (value) => value / length);
}

/** A vector a sequence where the file has it, or else the states of the tokens. */
function outputOf(model: OnnxModel, { kind }: SequenceHead): OnnxValue {
  const names = kind === 'classifier' ? ['logits'] : ['sentence_embedding', 'last_hidden_state', 'token_embeddings'];
  const isLogits = (output: OnnxValue): boolean => output.name === 'logits' && kind !== 'classifier';
  const only = model.outputs.length === 1 && !isLogits(model.outputs[0]!) ? model.outputs[0]! : undefined;
  const ranks = kind === 'classifier' ? [2] : [2, 3];
  const found =
    names.flatMap((name) => model.outputs.find((output) => output.name === name) ?? [])[0] ??
    (only && ranks.includes(only.shape.length) ? only : undefined);
  if (!found) {
    const there = model.outputs.map(({ name }) => name).join(', ');
    throw refusal(model, `it gives ${there}; ${names.join(' or ')} is needed`);
  }
  if (found.type !== 'float32') throw refusal(model, `${found.name} is ${found.type}; float32 is needed`);
  if (!ranks.includes(found.shape.length)) throw refusal(model, `${found.name} has ${found.shape.length} axes`);
  return found;
}

/** Undefined: any. */
function sizeOf(size: number | string | undefined): number | undefined {
  return typeof size === 'number' && size > 0 ? size : undefined;
}

function refusal({ path }: OnnxModel, what: string): CrucibleError {
  return invalidInput(`${path}: ${what}`, { at: path });
}
