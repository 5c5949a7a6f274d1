/**
 * The parameters of a Llama-style decoder as a tree whose paths are the tensor names of a Hugging Face checkpoint
 * (`model.layers.0.self_attn.q_proj.weight`), in its layout: matrices are [out, in].
 */
import type { Random } from '@crucible/foundation';
import { floats, type NdArray, zerosArray } from '@crucible/tensor';
import { canHaveInductionHeads, setInductionHeads } from './induction-heads.ts';
import { headSize, type LlamaConfig } from './llama-config.ts';

export interface Weight<Leaf> {
  readonly weight: Leaf;
}

export interface LlamaLayer<Leaf> {
  readonly input_layernorm: Weight<Leaf>;
  readonly self_attn: {
    readonly q_proj: Weight<Leaf>;
    readonly k_proj: Weight<Leaf>;
    readonly v_proj: Weight<Leaf>;
    readonly o_proj: Weight<Leaf>;
  };
  readonly post_attention_layernorm: Weight<Leaf>;
  readonly mlp: {
    readonly gate_proj: Weight<Leaf>;
    readonly up_proj: Weight<Leaf>;
    readonly down_proj: Weight<Leaf>;
  };
}

/** The decoder without a head. */
export interface LlamaBody<Leaf> {
  readonly embed_tokens: Weight<Leaf>;
  readonly layers: readonly LlamaLayer<Leaf>[];
  readonly norm: Weight<Leaf>;
}

/** A language model; a tied one has no `lm_head`. */
export interface LanguageModel<Leaf> {
  readonly model: LlamaBody<Leaf>;
  readonly lm_head?: Weight<Leaf>;
}

/** A decoder with one number a token, as LlamaForSequenceClassification with one label: reward and value models. */
export interface ScalarModel<Leaf> {
  readonly model: LlamaBody<Leaf>;
  readonly score: Weight<Leaf>;
}

export type LanguageModelWeights = LanguageModel<NdArray>;
export type ScalarModelWeights = ScalarModel<NdArray>;

/**
 * Random initial parameters. Matrices are normal with standard deviation 1/√(inputs). Projections back into the residual
 * stream begin at zero (Zhang et al. 2019, "Fixup"), so every layer begins as the identity. Embeddings are normal with
 * deviation 1, as the stream that they open is normalised anyway, and the head begins at zero: all tokens alike. A tied
 * matrix is both, and has deviation 0.02 (Radford et al. 2019). Norms are 1. Where there is room, the first two layers and
 * the head begin with what copies from the context (see induction-heads.ts).
 */
export function initLanguageModel(config: LlamaConfig, random: Random): LanguageModelWeights {
  const { hiddenSize, intermediateSize, layers, heads, keyValueHeads, vocabularySize, tieEmbeddings } = config;
  const size = headSize(config);
  const normal = (rows: number, columns: number, deviation = 1 / Math.sqrt(columns)): Weight<NdArray> => ({
    weight: floats(
      [rows, columns],
      Float32Array.from({ length: rows * columns }, () => random.normal() * deviation),
    ),
  });
  const zeros = (rows: number, columns: number): Weight<NdArray> => ({
    weight: zerosArray('float32', [rows, columns]),
  });
  const ones = (): Weight<NdArray> => ({ weight: floats([hiddenSize], new Float32Array(hiddenSize).fill(1)) });
  const body: LlamaBody<NdArray> = {
    embed_tokens: normal(vocabularySize, hiddenSize, tieEmbeddings ? 0.02 : 1),
    layers: Array.from({ length: layers }, () => ({
      input_layernorm: ones(),
      self_attn: {
        q_proj: normal(heads * size, hiddenSize),
        k_proj: normal(keyValueHeads * size, hiddenSize),
        v_proj: normal(keyValueHeads * size, hiddenSize),
        o_proj: zeros(hiddenSize, heads * size),
      },
      post_attention_layernorm: ones(),
      mlp: {
        gate_proj: normal(intermediateSize, hiddenSize),
        up_proj: normal(intermediateSize, hiddenSize),
        down_proj: zeros(hiddenSize, intermediateSize),
      },
    })),
    norm: ones(),
  };
  if (tieEmbeddings) return { model: body };
  const head = zeros(vocabularySize, hiddenSize);
  if (canHaveInductionHeads(config)) setInductionHeads(config, body, head.weight);
  return { model: body, lm_head: head };
}

/** A scalar head's weights [1, hiddenSize], normal with standard deviation 1/√(hiddenSize + 1) (Stiennon et al. 2020). */
export function initScalarHead(config: LlamaConfig, random: Random): Weight<NdArray> {
  const scale = 1 / Math.sqrt(config.hiddenSize + 1);
  const values = Float32Array.from({ length: config.hiddenSize }, () => random.normal() * scale);
  return { weight: floats([1, config.hiddenSize], values) };
}

/** Whether a parameter is a matrix inside the decoder: what Muon trains (not embeddings, heads or norms). */
export function isInnerMatrix(path: string, shape: readonly number[]): boolean {
  return shape.length === 2 && path.includes('.layers.');
}
