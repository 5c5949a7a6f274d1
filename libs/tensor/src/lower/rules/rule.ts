import type { Program } from '../../ir/graph.ts';
import type { ControlParams, Primitive } from '../../ir/primitive.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { type AttributeValue, elementType, type OnnxWriter } from '../onnx-writer.ts';

/** Writes the nodes for `tensor`, whose inputs have the given names, and returns the name of its value. */
export type OnnxRule<P extends Primitive> = (onnx: OnnxWriter, tensor: Tensor<P>, inputs: readonly string[]) => string;

export type OnnxRules<P extends Primitive> = { readonly [Q in P]: OnnxRule<Q> };

/** Writes the nodes of a program within, whose inputs have the given names, and returns the names of its outputs. */
export type LowerInto = (onnx: OnnxWriter, program: Program, inputs: readonly string[]) => string[];

/** Like `OnnxRule`, for a node with several results. */
export type ControlOnnxRule<P extends keyof ControlParams> = (
  onnx: OnnxWriter,
  tensor: Tensor<P>,
  inputs: readonly string[],
  lowerInto: LowerInto,
) => readonly string[];

/** For a primitive that is one operator of the standard. */
export function operator(name: string, attributes?: Record<string, AttributeValue>): OnnxRule<Primitive> {
  return (onnx, _tensor, inputs) => onnx.op(name, inputs, attributes === undefined ? {} : { attributes });
}

export function toInt64(onnx: OnnxWriter, name: string): string {
  return onnx.sharedOp('Cast', [name], { attributes: { to: elementType.int64 } });
}
