/**
 * A model that begins with an induction head (Olsson et al. 2022): where a token has occurred before, it predicts what came
 * after it. Models form this pair of heads by themselves, but late in a short training, and everything that copies from the
 * context waits for it; begun with, it is there from the first step (docs/decisions/0002). In the spirit of mimetic
 * initialisation (Trockman & Kolter 2023), and undone by training where it is of no use.
 *
 * - The residual stream's coordinate 0 holds a constant, coordinates from `register` on what the token before was, from
 *   `source` on what is known of a token by itself, and from `prediction` on the same of a token that is expected next.
 * - Head 0 of layer 0 looks one token back: query and key are the same vector but for one step of rotation. It copies
 *   `source` into `register`.
 * - Head 0 of layer 1 compares its own `source` with others' `register`, in the slow half of the rotary frequencies, which
 *   distance hardly turns. It copies `source` into `prediction`, where the language model's head compares it with every
 *   token's `source`. Without this last part, training undoes the heads before their output is of use.
 */
import type { NdArray } from '@crucible/tensor';
import { headSize } from './decoder-sizes.ts';
import type { Weight } from './linear.ts';
import type { ModelWeights } from './parameters.ts';
import type { RotaryBody, RotaryDecoderConfig } from './rotary-decoder.ts';

/** Value of the constant coordinate. */
const constant = 4;
/** Squared lengths of query and key in the fastest rotary frequencies; together they single out one distance. */
const previousTokenPeaks = [40, 25, 12, 6, 3];
/** Length of the matching head's query and key along a coordinate of deviation 1. */
const matchGain = 1.5;
/** What a coordinate of what is copied adds to the logits: about 3 for the right token, 0 ± 0.6 for another. */
const copyGain = 0.1;
/** What is left of the random part of the heads, and of embeddings where something else will stand. */
const randomShare = 0.3;
/** The first frequency, as a share of all, that is slow enough to compare by. */
const firstSlow = 7 / 16;

/** Two layers, an own embedding matrix (a tied one is a head as well), and a stream with room for the coordinates. */
export function canHaveInductionHeads(config: RotaryDecoderConfig): boolean {
  const { fast, slow } = frequencies(config);
  return (
    config.layers >= 2 &&
    !config.tieEmbeddings &&
    slow.length > 0 &&
    fast >= previousTokenPeaks.length &&
    1 + slow.length + 2 * headSize(config) <= config.hiddenSize
  );
}

/** Writes the two heads over random parameters, and what they predict into the language model's head, which is zero. */
export function setInductionHeads(config: RotaryDecoderConfig, weights: ModelWeights): void {
  const { model: body, lm_head: head } = weights as unknown as {
    readonly model: RotaryBody<NdArray>;
    readonly lm_head: Weight<NdArray>;
  };
  const { hiddenSize, heads, vocabularySize, ropeTheta } = config;
  const size = headSize(config);
  const { slow } = frequencies(config);
  const register = 1;
  const source = register + slow.length;
  const prediction = source + size;

  const embeddings = body.embed_tokens.weight.data as Float32Array;
  for (let token = 0; token < vocabularySize; token++) {
    embeddings[token * hiddenSize] = constant;
    for (let i = 0; i < slow.length; i++) embeddings[token * hiddenSize + register + i]! *= randomShare;
  }

  const [previous, matching] = body.layers.slice(0, 2).map(({ self_attn: attention }) => ({
    query: attention.q_proj.weight.data as Float32Array,
    key: attention.k_proj.weight.data as Float32Array,
    value: attention.v_proj.weight.data as Float32Array,
    output: attention.o_proj.weight.data as Float32Array,
  })) as [Head, Head];
  for (const { query, key } of [previous, matching]) {
    for (let i = 0; i < size * hiddenSize; i++) {
      query[i]! *= randomShare;
      key[i]! *= randomShare;
    }
  }

  previousTokenPeaks.forEach((peak, frequency) => {
    const length = Math.sqrt(peak) / constant;
    const step = ropeTheta ** ((-2 * frequency) / size);
    const [cosine, sine] = [frequency * hiddenSize, (frequency + size / 2) * hiddenSize];
    previous.query[cosine] = length;
    previous.query[sine] = 0;
    previous.key[cosine] = length * Math.cos(step);
    previous.key[sine] = length * Math.sin(step);
  });
  previous.value.fill(0, 0, slow.length * hiddenSize);
  slow.forEach((dimension, i) => {
    previous.value[i * hiddenSize + source + i] = 1;
    previous.output[(register + i) * heads * size + i] = 1;
    matching.query[dimension * hiddenSize + source + i]! += matchGain;
    matching.key[dimension * hiddenSize + register + i]! += matchGain;
  });
  matching.value.fill(0, 0, size * hiddenSize);
  for (let i = 0; i < size; i++) {
    matching.value[i * hiddenSize + source + i] = 1;
    matching.output[(prediction + i) * heads * size + i] = 1;
  }
  const logits = head.weight.data as Float32Array;
  for (let token = 0; token < vocabularySize; token++) {
    for (let i = 0; i < size; i++) {
      embeddings[token * hiddenSize + prediction + i]! *= randomShare;
      logits[token * hiddenSize + prediction + i] = copyGain * embeddings[token * hiddenSize + source + i]!;
    }
  }
}

/** The rows of head 0 come first in query, key and value, its columns in the output. */
type Head = Readonly<Record<'query' | 'key' | 'value' | 'output', Float32Array>>;

/** The number of fast rotary frequencies, and a head's dimensions of the slow ones. */
function frequencies(config: RotaryDecoderConfig): { readonly fast: number; readonly slow: readonly number[] } {
  const half = headSize(config) / 2;
  const fast = Math.ceil(half * firstSlow);
  const slow = Array.from({ length: half - fast }, (_, i) => fast + i);
  return { fast, slow: slow.flatMap((frequency) => [frequency, frequency + half]) };
}
