/**
 * The closed set of primitives. Everything that a program computes is made of these; a primitive without a rule in one
 * of the tables (types, gradients, ONNX lowering, reference) does not compile.
 */
import type { DType } from '../dtype.ts';
import type { NdArray } from '../nd-array.ts';
import type { Shape } from '../shape.ts';

type None = Record<string, never>;

/** Parameters of each primitive, beside its tensor inputs. Axes are from 0. */
export interface LeafParams {
  /** A value that is fed at every run. */
  input: { readonly name: string; readonly shape: Shape; readonly dtype: DType };
  constant: { readonly value: NdArray };
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
  tanh: None;
  erf: None;
  sigmoid: None;
  /** x · sigmoid(x) (Hendrycks & Gimpel 2016; "swish"). */
  silu: None;
  /** x · Φ(x), exact (Hendrycks & Gimpel 2016). */
  gelu: None;
  not: None;
  cast: { readonly dtype: DType };
  /** The value itself; no gradient goes through it. */
  stopGradient: None;

  // Two operands, broadcasting
  add: None;
  sub: None;
  mul: None;
  div: None;
  pow: None;
  maximum: None;
  minimum: None;
  equal: None;
  less: None;
  lessOrEqual: None;
  and: None;
  or: None;

  /** condition ? a : b, broadcasting. */
  where: None;
}

export interface ReductionParams {
  sum: { readonly axes: readonly number[]; readonly keepDims: boolean };
  max: { readonly axes: readonly number[]; readonly keepDims: boolean };
  /** log Σ exp along the last axis, which stays with size 1. */
  logSumExp: None;
  /** Running sum along the last axis. */
  cumulativeSum: { readonly reverse: boolean };
  /** Index (int32) of the first largest element along the last axis, which goes. */
  argMax: None;
}

export interface LinalgParams {
  /**
   * alpha · op(a) op(b) over the last two axes, batch axes broadcast. Rank 2 and above.
   * transposeA: a is [..., k, m] instead of [..., m, k]; transposeB: b is [..., n, k] instead of [..., k, n].
   */
  matmul: { readonly transposeA: boolean; readonly transposeB: boolean; readonly alpha: number };

  /** (a, b, c) → alpha · op(a) op(b) + c for matrices a and b; c is [m, n] or broadcasts to it. */
  matmulAdd: { readonly transposeA: boolean; readonly transposeB: boolean; readonly alpha: number };
}

export interface MovementParams {
  reshape: { readonly shape: Shape };
  transpose: { readonly permutation: readonly number[] };
  broadcast: { readonly shape: Shape };
  concat: { readonly axis: number };
  /** Elements from `starts` up to, not including, `ends`, along every axis. */
  slice: { readonly starts: readonly number[]; readonly ends: readonly number[] };
  /** Zeros around the tensor. */
  pad: { readonly before: readonly number[]; readonly after: readonly number[] };
}

export interface IndexingParams {
  /** (table [n, ...rest], indices int32 [...ids]) → [...ids, ...rest]. Indices must lie in 0 … n - 1. */
  gather: None;
  /** (base [n, ...rest], indices int32 [...ids], updates [...ids, ...rest]) → base with the updates added at its rows. */
  scatterAdd: None;
  /** (x [..., n], indices int32 [..., k]) → [..., k]: picks along the last axis. */
  takeAlong: None;
  /** (base [..., n], indices int32 [..., k], updates [..., k]) → base with the updates added along the last axis. */
  scatterAlong: None;
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
}

export interface PrimitiveParams
  extends LeafParams, ElementwiseParams, ReductionParams, LinalgParams, MovementParams, IndexingParams, FusedParams {}

export type Primitive = keyof PrimitiveParams;
