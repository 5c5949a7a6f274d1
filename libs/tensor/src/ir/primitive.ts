/**
 * The closed set of primitives. Everything that a program computes is made of these; a primitive without a rule in one
 * of the tables (types, gradients, ONNX lowering, reference) does not compile.
 */
import type { DType } from '../dtype.ts';
import type { NdArray } from '../nd-array.ts';
import type { QuantizedMatrix } from '../quantized-matrix.ts';
import type { Shape } from '../shape.ts';
import type { Program } from './graph.ts';

type None = Record<string, never>;

// Parameters of each primitive, beside its tensor inputs. Axes are from 0.

export interface LeafParams {
  /** A value that is fed at every run. */
  input: { readonly name: string; readonly shape: Shape; readonly dtype: DType };
  constant: { readonly value: NdArray };
  /** 0, 1, … length - 1. */
  range: { readonly length: number; readonly dtype: 'int32' | 'uint32' };
  /** One result of a node that has several. */
  part: { readonly index: number };
}

export interface ElementwiseParams {
  // One operand
  neg: None;
  abs: None;
  /** -1, 0 or 1. */
  sign: None;
  exp: None;
  /** Natural logarithm. */
  log: None;
  sqrt: None;
  reciprocal: None;
  sin: None;
  cos: None;
  tan: None;
  asin: None;
  acos: None;
  atan: None;
  sinh: None;
  cosh: None;
  tanh: None;
  asinh: None;
  acosh: None;
  atanh: None;
  /** log(1 + x), exact near 0. */
  log1p: None;
  /** eˣ - 1, exact near 0. */
  expm1: None;
  erf: None;
  sigmoid: None;
  /** x · sigmoid(x) (Hendrycks & Gimpel 2016; "swish"). */
  silu: None;
  /** x · Φ(x), exact (Hendrycks & Gimpel 2016). */
  gelu: None;
  /** The approximation of gelu by tanh (Hendrycks & Gimpel 2016), which GPT-2 has. */
  geluTanh: None;
  /** max(x, 0), with derivative 0 at 0. */
  relu: None;
  /** log(1 + eˣ), without overflow. */
  softplus: None;
  floor: None;
  ceil: None;
  /** To the nearest whole number, halves to the even one. */
  round: None;
  not: None;
  cast: { readonly dtype: DType };
  /** The value itself; no gradient goes through it. */
  stopGradient: None;
  /** (x, token) → x, not before the token is there, and never one node with x. */
  barrier: None;

  // Two operands, broadcasting
  add: None;
  sub: None;
  mul: None;
  /** Of integers: towards zero. */
  div: None;
  /** a - trunc(a / b) b: the remainder that belongs to `div`, with the sign of a. */
  rem: None;
  pow: None;
  maximum: None;
  minimum: None;
  equal: None;
  less: None;
  lessOrEqual: None;
  and: None;
  or: None;

  // Of uint32
  bitAnd: None;
  bitOr: None;
  bitXor: None;
  /** By 0 … 31 places. */
  shiftLeft: None;
  /** By 0 … 31 places; zeros come in. */
  shiftRight: None;

  /** condition ? a : b, broadcasting. */
  where: None;
}

export interface ReductionParams {
  sum: { readonly axes: readonly number[]; readonly keepDims: boolean };
  max: { readonly axes: readonly number[]; readonly keepDims: boolean };
  min: { readonly axes: readonly number[]; readonly keepDims: boolean };
  /** log Σ exp along the last axis, which stays with size 1. */
  logSumExp: None;
  /** Running sum along an axis; exclusive: of what comes before an element alone; reverse: from the end. */
  cumulativeSum: { readonly axis: number; readonly exclusive: boolean; readonly reverse: boolean };
  /** Index (int32) of the first largest element along an axis, which goes. */
  argMax: { readonly axis: number };
  /** Index (int32) of the first smallest element along an axis, which goes. */
  argMin: { readonly axis: number };
}

export interface LinalgParams {
  /**
   * alpha · op(a) op(b) over the last two axes, batch axes broadcast. Rank 2 and above.
   * transposeA: a is [..., k, m] instead of [..., m, k]; transposeB: b is [..., n, k] instead of [..., k, n].
   */
  matmul: { readonly transposeA: boolean; readonly transposeB: boolean; readonly alpha: number };

  /** (a, b, c) → alpha · op(a) op(b) + c for matrices a and b; c is [m, n] or broadcasts to it. */
  matmulAdd: { readonly transposeA: boolean; readonly transposeB: boolean; readonly alpha: number };

  /**
   * x [m, k] → x Wᵀ [m, n] for a matrix W [n, k] of few bits, which is a part of the program. `precision`: of x in the
   * product; int8 is many times as fast, and rounds x to eight bits by blocks.
   */
  matmulQuantized: { readonly weight: QuantizedMatrix; readonly precision: 'float32' | 'int8' };
}

export interface MovementParams {
  reshape: { readonly shape: Shape };
  transpose: { readonly permutation: readonly number[] };
  broadcast: { readonly shape: Shape };
  concat: { readonly axis: number };
  /** Elements from `starts` up to, not including, `ends`, along every axis. `steps` from 1; left out, all are 1. */
  slice: { readonly starts: readonly number[]; readonly ends: readonly number[]; readonly steps?: readonly number[] };
  /** The order of the elements along some axes reversed. */
  flip: { readonly axes: readonly number[] };
  /** (x) or (x, value []) → x with zeros, or the value, around it. */
  pad: { readonly before: readonly number[]; readonly after: readonly number[] };
}

export interface IndexingParams {
  /** (x, indices int32 [...ids]) → x with an axis of size n replaced by [...ids]. Indices must lie in 0 … n - 1. */
  gather: { readonly axis: number };
  /** (base [n, ...rest], indices int32 [...ids], updates [...ids, ...rest]) → base with the updates added at its rows. */
  scatterAdd: None;
  /** Like scatterAdd, but the updates replace the rows. Which one stays is open where indices repeat. */
  scatterSet: None;
  /** (x, indices int32, of the shape of x but for one axis) → like indices: picks along that axis. */
  takeAlong: { readonly axis: number };
  /** (base, indices int32 and updates, of the shape of base but for one axis) → base with the updates added along it. */
  scatterAlong: { readonly axis: number };
  /** Indices (int32) of the k largest or smallest elements along an axis, in their order; of equal ones the first leads. */
  topIndices: { readonly axis: number; readonly k: number; readonly largest: boolean };
}

/** Where the windows of a convolution lie, along each spatial axis. */
export interface Windows {
  /** Places between neighbouring windows. */
  readonly strides: readonly number[];
  /** Places between neighbouring elements of a window. */
  readonly dilations: readonly number[];
  /** Zeros in front of the input, and behind it. */
  readonly before: readonly number[];
  readonly after: readonly number[];
}

export interface ConvolutionParams {
  /**
   * (x [n, c, ...spatial], weight [o, c / groups, ...kernel]) or with (bias [o]) → [n, o, ...]: the sum over a window of
   * x around each place, as neural networks have it (no kernel is flipped).
   */
  conv: Windows & { readonly groups: number };
  /**
   * (y [n, o, ...], weight [o, c / groups, ...kernel]) → [n, c, ...size]: the transpose of `conv` as a map of its input,
   * whose spatial sizes were `size`.
   */
  convTranspose: Windows & { readonly groups: number; readonly size: readonly number[] };
}

/** Kernels of their own, because composing them from the above costs passes over memory. */
export interface FusedParams {
  /** Along the last axis. */
  softmax: None;
  /** (x [..., d], weight [d]) → x / √(mean x² + epsilon) · weight (Zhang & Sennrich 2019). */
  rmsNorm: { readonly epsilon: number };
  /** x [..., d] → 1 / √(mean x² + epsilon) [..., 1]. */
  inverseRms: { readonly epsilon: number };
  /** (x [..., d], weight [d], bias [d]) → (x - mean) / √(variance + epsilon) · weight + bias (Ba et al. 2016). */
  layerNorm: { readonly epsilon: number };
  /** x [..., d] → 1 / √(variance + epsilon) [..., 1]. */
  inverseStd: { readonly epsilon: number };
  /**
   * Rotary position embedding (Su et al. 2021) in the half-split layout of Llama:
   * (x [batch, time, heads · d], positions int32 [batch, time], cos [p, d/2], sin [p, d/2]) → like x.
   */
  rotary: { readonly heads: number };
  // The head of a language model: hidden states times the matrix of the vocabulary, and what is made of these logits, so
  // that no more than `rows` rows of them are there at once (see rewrite/token-blocks.ts)
  /** (hidden [n, d], weight [v, d], targets int32 [n]) → log p(target) under softmax(hidden weightᵀ) [n]. */
  tokenLogProbability: { readonly rows: number };
  /** Those three and dy [n] → the gradient of Σ dy · tokenLogProbability by hidden [n, d] or weight [v, d]. */
  tokenLogProbabilityGradient: { readonly by: 'hidden' | 'weight'; readonly rows: number };
  /** (hidden [n, d], weight [v, d]) → the index of the largest logit, the first of equal ones, int32 [n]. */
  likeliestToken: { readonly rows: number };
}

/**
 * Programs within the program. Each has several results, which `part` picks. What a program within needs of the one
 * around it are inputs of the node, `captured`.
 */
export interface ControlParams {
  /**
   * (carry..., sequences [n, ...]..., captured...) → (carry..., outputs [n, ...]...): `body` takes (carry..., an element
   * of each sequence..., captured...) to (carry..., an element of each output...), n times. `reverse`: from the last
   * element to the first. `recompute`: the gradient works out again what a step computed instead of keeping it.
   */
  scan: {
    readonly body: Program;
    readonly carries: number;
    readonly sequences: number;
    readonly length: number;
    readonly reverse: boolean;
    readonly recompute: boolean;
  };
  /** (carry..., captured...) → carry: `body` as long as `condition` of both is true. */
  whileLoop: { readonly condition: Program; readonly body: Program; readonly carries: number };
  /** (predicate bool [], captured...) → results of `then` or of `otherwise`, which both take what is captured. */
  branch: { readonly then: Program; readonly otherwise: Program };
  /** (captured...) → results of `body`, which the gradient works out again. */
  checkpoint: { readonly body: Program };
  /**
   * (results..., operands..., captured...) → results. Their gradient by each float32 operand is what `backward` makes of
   * (a gradient for each float32 result..., captured...).
   */
  customGradient: { readonly results: number; readonly operands: number; readonly backward: Program };
}

export interface PrimitiveParams
  extends
    LeafParams,
    ElementwiseParams,
    ReductionParams,
    LinalgParams,
    MovementParams,
    IndexingParams,
    ConvolutionParams,
    ControlParams,
    FusedParams {}

export type Primitive = keyof PrimitiveParams;

/** Primitives whose nodes are tensors; those of `ControlParams` have several results, and `part` is one of them. */
export type OneResult = Exclude<Primitive, keyof ControlParams | 'part'>;
