/**
 * A Llama of a few thousand parameters whose predictions are far from uniform, and its forward pass in plain loops of
 * float64: what models, scorers and engines are compared with. Written from the paper (Touvron et al. 2023) and the
 * published layout of checkpoints alone; knows nothing of libs/tensor or libs/nn.
 */
import { Random } from '@crucible/foundation';

interface FloatMatrix {
  readonly dtype: 'float32';
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A tree of parameters, as libs/nn has it. */
interface ParameterTree {
  readonly [name: string]: FloatMatrix | ParameterTree | readonly ParameterTree[];
}

interface Weight extends ParameterTree {
  readonly weight: FloatMatrix;
}

interface TinyLlamaLayer extends ParameterTree {
  readonly input_layernorm: Weight;
  readonly self_attn: Record<'q_proj' | 'k_proj' | 'v_proj' | 'o_proj', Weight>;
  readonly post_attention_layernorm: Weight;
  readonly mlp: Record<'gate_proj' | 'up_proj' | 'down_proj', Weight>;
}

export interface TinyLlamaBody extends ParameterTree {
  readonly embed_tokens: Weight;
  readonly layers: readonly TinyLlamaLayer[];
  readonly norm: Weight;
}

export interface TinyLlama extends ParameterTree {
  readonly model: TinyLlamaBody;
  readonly lm_head: Weight;
}

export interface TinyRewardModel extends ParameterTree {
  readonly model: TinyLlamaBody;
  readonly score: Weight;
}

export const tinyLlamaConfig = {
  family: 'llama',
  vocabularySize: 24,
  hiddenSize: 32,
  intermediateSize: 40,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  maxPositions: 96,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10_000,
  tieEmbeddings: false,
} as const;

/** Random weights; the same for the same seed. */
export function tinyLlama(seed: number): TinyLlama {
  const random = Random.seeded(seed).fork('tiny llama');
  const { vocabularySize, hiddenSize } = tinyLlamaConfig;
  return { model: body(random), lm_head: matrix(random, vocabularySize, hiddenSize, 0.35) };
}

export function tinyRewardModel(seed: number): TinyRewardModel {
  const random = Random.seeded(seed).fork('tiny reward model');
  return { model: body(random), score: matrix(random, 1, tinyLlamaConfig.hiddenSize, 0.35) };
}

function body(random: Random): TinyLlamaBody {
  const { vocabularySize, hiddenSize, intermediateSize, layers, heads, keyValueHeads } = tinyLlamaConfig;
  const narrow = (hiddenSize / heads) * keyValueHeads;
  const norm = (): Weight => {
    const data = Float32Array.from({ length: hiddenSize }, () => 1 + 0.2 * random.normal());
    return { weight: { dtype: 'float32', shape: [hiddenSize], data } };
  };
  return {
    embed_tokens: matrix(random, vocabularySize, hiddenSize, 1),
    layers: Array.from({ length: layers }, () => ({
      input_layernorm: norm(),
      self_attn: {
        q_proj: matrix(random, hiddenSize, hiddenSize, 0.25),
        k_proj: matrix(random, narrow, hiddenSize, 0.25),
        v_proj: matrix(random, narrow, hiddenSize, 0.25),
        o_proj: matrix(random, hiddenSize, hiddenSize, 0.25),
      },
      post_attention_layernorm: norm(),
      mlp: {
        gate_proj: matrix(random, intermediateSize, hiddenSize, 0.25),
        up_proj: matrix(random, intermediateSize, hiddenSize, 0.25),
        down_proj: matrix(random, hiddenSize, intermediateSize, 0.25),
      },
    })),
    norm: norm(),
  };
}

function matrix(random: Random, rows: number, columns: number, deviation: number): Weight {
  const data = Float32Array.from({ length: rows * columns }, () => deviation * random.normal());
  return { weight: { dtype: 'float32', shape: [rows, columns], data } };
}

/** Logits after each token of one sequence: [time][vocabulary]. */
export function referenceLogits({ model, lm_head }: TinyLlama, ids: readonly number[]): number[][] {
  return hiddenStates(model, ids).map((hidden) => times(lm_head, hidden));
}

/** log p(token) under logits divided by a temperature: [vocabulary]. */
export function referenceLogProbabilities(logits: readonly number[], temperature = 1): number[] {
  const scaled = logits.map((logit) => logit / temperature);
  const largest = Math.max(...scaled);
  const total = scaled.reduce((sum, value) => sum + Math.exp(value - largest), 0);
  return scaled.map((value) => value - largest - Math.log(total));
}

/** log p of each token of `answer` after `prompt`, one by one. */
export function referenceAnswerLogProbabilities(
  weights: TinyLlama,
  prompt: readonly number[],
  answer: readonly number[],
  temperature = 1,
): number[] {
  const logits = referenceLogits(weights, [...prompt, ...answer]);
  return answer.map((id, t) => referenceLogProbabilities(logits[prompt.length - 1 + t]!, temperature)[id]!);
}

/** The head's number for each token of one sequence: [time]. */
export function referenceScores({ model, score }: TinyRewardModel, ids: readonly number[]): number[] {
  return hiddenStates(model, ids).map((hidden) => times(score, hidden)[0]!);
}

function hiddenStates(model: TinyLlamaBody, ids: readonly number[]): number[][] {
  const { heads, keyValueHeads, hiddenSize } = tinyLlamaConfig;
  const size = hiddenSize / heads;
  let states = ids.map((id) => rowOf(model.embed_tokens, id));
  for (const layer of model.layers) {
    const normed = states.map((state) => rmsNorm(layer.input_layernorm, state));
    const project = (by: Weight): number[][] => normed.map((state) => times(by, state));
    const queries = project(layer.self_attn.q_proj).map((row, t) => rotate(row, t, size));
    const keys = project(layer.self_attn.k_proj).map((row, t) => rotate(row, t, size));
    const values = project(layer.self_attn.v_proj);
    states = states.map((state, t) => {
      const mixed: number[] = [];
      for (let head = 0; head < heads; head++) {
        const shared = Math.floor(head / (heads / keyValueHeads)) * size;
        const query = queries[t]!.slice(head * size, (head + 1) * size);
        const past = keys.slice(0, t + 1).map((key) => dot(query, key.slice(shared, shared + size)) / Math.sqrt(size));
        const weights = referenceLogProbabilities(past).map(Math.exp);
        for (let i = 0; i < size; i++) mixed.push(weights.reduce((sum, w, s) => sum + w * values[s]![shared + i]!, 0));
      }
      return plus(state, times(layer.self_attn.o_proj, mixed));
    });
    states = states.map((state) => {
      const input = rmsNorm(layer.post_attention_layernorm, state);
      const up = times(layer.mlp.up_proj, input);
      const gated = times(layer.mlp.gate_proj, input).map((x, i) => (x / (1 + Math.exp(-x))) * up[i]!);
      return plus(state, times(layer.mlp.down_proj, gated));
    });
  }
  return states.map((state) => rmsNorm(model.norm, state));
}

/** Rotary positions: element i of the first half of a head turns together with element i of the second. */
function rotate(row: readonly number[], position: number, size: number): number[] {
  const half = size / 2;
  return row.map((value, i) => {
    const place = i % size;
    const angle = position * tinyLlamaConfig.ropeTheta ** (-(place % half) / half);
    const other = place < half ? -row[i + half]! : row[i - half]!;
    return value * Math.cos(angle) + other * Math.sin(angle);
  });
}

function rmsNorm({ weight }: Weight, state: readonly number[]): number[] {
  const scale = 1 / Math.sqrt(dot(state, state) / state.length + tinyLlamaConfig.rmsNormEpsilon);
  return state.map((value, i) => value * scale * weight.data[i]!);
}

function times(by: Weight, vector: readonly number[]): number[] {
  return Array.from({ length: by.weight.shape[0]! }, (_, row) => dot(rowOf(by, row), vector));
}

function rowOf({ weight: { shape, data } }: Weight, row: number): number[] {
  return Array.from(data.subarray(row * shape[1]!, (row + 1) * shape[1]!));
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function plus(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, i) => value + b[i]!);
}
