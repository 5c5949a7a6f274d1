import type { DType } from '../dtype.ts';
import { type Shape, shapesEqual } from '../shape.ts';
import type { Graph } from './graph.ts';
import type { Primitive, PrimitiveParams } from './primitive.ts';

export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
  /** Types of the results of a node that has several. Only `part` reads it; its own shape and dtype say nothing. */
  readonly parts?: readonly TensorType[];
}

/**
 * A symbolic tensor: a node of a graph, immutable. Two nodes of one graph with the same primitive, inputs and
 * parameters are the same object, so equality is identity and common subexpressions are computed once.
 */
export class Tensor<P extends Primitive = Primitive> implements TensorType {
  readonly graph: Graph;
  /** Unique in its graph, and larger than the ids of its inputs. */
  readonly id: number;
  readonly primitive: P;
  readonly inputs: readonly Tensor[];
  readonly params: PrimitiveParams[P];
  readonly shape: Shape;
  readonly dtype: DType;
  readonly parts?: readonly TensorType[];

  constructor(
    graph: Graph,
    id: number,
    primitive: P,
    inputs: readonly Tensor[],
    params: PrimitiveParams[P],
    type: TensorType,
  ) {
    this.graph = graph;
    this.id = id;
    this.primitive = primitive;
    this.inputs = inputs;
    this.params = params;
    this.shape = type.shape;
    this.dtype = type.dtype;
    if (type.parts) this.parts = type.parts;
  }

  get rank(): number {
    return this.shape.length;
  }
}

export function typesEqual(a: TensorType, b: TensorType): boolean {
  const [partsA, partsB] = [a.parts ?? [], b.parts ?? []];
  const sameParts = partsA.length === partsB.length && partsA.every((part, i) => typesEqual(part, partsB[i]!));
  return a.dtype === b.dtype && shapesEqual(a.shape, b.shape) && sameParts;
}

export function isTensor(value: unknown): value is Tensor {
  return value instanceof Tensor;
}

/** Narrows a node to one primitive, with its parameters' types. */
export function isPrimitive<P extends Primitive>(tensor: Tensor, primitive: P): tensor is Tensor<P> {
  return tensor.primitive === primitive;
}
