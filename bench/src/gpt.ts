/** The GPT of the peer's script, in libs/tensor: same shapes, same mathematics. */
import type { Random } from '@crucible/foundation';
import {
  add,
  causalAttention,
  causalMask,
  type FloatArray,
  floats,
  gather,
  gelu,
  layerNorm,
  logProbability,
  matmul,
  mean,
  neg,
  reshape,
  type Shape,
  sizeOf,
  split,
  type Tensor,
  transpose,
  zerosArray,
} from '@crucible/tensor';

export interface GptShape {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly time: number;
  readonly vocabulary: number;
}

interface Norm<Leaf> {
  readonly weight: Leaf;
  readonly bias: Leaf;
}

/** The weight is [in, out]. */
type Linear<Leaf> = Norm<Leaf>;

interface Block<Leaf> {
  readonly norm1: Norm<Leaf>;
  readonly norm2: Norm<Leaf>;
  readonly qkv: Linear<Leaf>;
  readonly out: Linear<Leaf>;
  readonly up: Linear<Leaf>;
  readonly down: Linear<Leaf>;
}

export interface Gpt<Leaf> {
  readonly tokens: Leaf;
  readonly positions: Leaf;
  readonly blocks: readonly Block<Leaf>[];
  readonly norm: Norm<Leaf>;
}

export function createGpt({ width, layers, time, vocabulary }: GptShape, random: Random): Gpt<FloatArray> {
  const normal = (shape: Shape): FloatArray =>
    floats(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => 0.02 * random.normal()),
    );
  const norm = (): Norm<FloatArray> => ({
    weight: floats([width], new Float32Array(width).fill(1)),
    bias: zerosArray('float32', [width]),
  });
  const linear = (from: number, to: number): Linear<FloatArray> => ({
    weight: normal([from, to]),
    bias: zerosArray('float32', [to]),
  });
  const block = (): Block<FloatArray> => ({
    norm1: norm(),
    norm2: norm(),
    qkv: linear(width, 3 * width),
    out: linear(width, width),
    up: linear(width, 4 * width),
    down: linear(4 * width, width),
  });
  return {
    tokens: normal([vocabulary, width]),
    positions: normal([time, width]),
    blocks: Array.from({ length: layers }, block),
    norm: norm(),
  };
}

/** Mean cross-entropy, in nats, of the tokens `next` after each of `ids` (int32 [batch, time]). */
export function lossOf(gpt: Gpt<Tensor>, { width, heads }: GptShape, ids: Tensor, next: Tensor): Tensor {
  const [batch, time] = ids.shape as [number, number];
  const mask = causalMask(ids.graph, time);
  const splitHeads = (x: Tensor): Tensor => transpose(reshape(x, [batch, time, heads, width / heads]), [0, 2, 1, 3]);
  let hidden = add(gather(gpt.tokens, ids), gpt.positions);
  for (const block of gpt.blocks) {
    const [query, key, value] = split(linear(normed(hidden, block.norm1), block.qkv), [width, width, width], -1).map(
      splitHeads,
    ) as [Tensor, Tensor, Tensor];
    const mixed = transpose(causalAttention(query, key, value, mask), [0, 2, 1, 3]);
    hidden = add(hidden, linear(reshape(mixed, [batch, time, width]), block.out));
    hidden = add(hidden, linear(gelu(linear(normed(hidden, block.norm2), block.up)), block.down));
  }
  const logits = matmul(normed(hidden, gpt.norm), gpt.tokens, { transposeB: true });
  return neg(mean(logProbability(logits, next)));
}

function normed(x: Tensor, { weight, bias }: Norm<Tensor>): Tensor {
  return layerNorm(x, weight, bias, 1e-5);
}

function linear(x: Tensor, { weight, bias }: Linear<Tensor>): Tensor {
  return add(matmul(x, weight), bias);
}
