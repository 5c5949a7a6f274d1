/** A model that gives its input `x`, of one element type and rank and of any sizes, out as `y`. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { DType } from '../dtype.ts';
import {
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  ValueInfoProtoSchema,
  type ValueInfoProto,
} from './generated/onnx_pb.ts';
import { elementType } from './onnx-writer.ts';

export function identityModel(dtype: DType, rank: number): Uint8Array {
  const dim = Array.from({ length: rank }, (_, axis) => ({ dimParam: `size${axis}` }));
  const info = (name: string): ValueInfoProto =>
    create(ValueInfoProtoSchema, { name, type: { tensorType: { elemType: elementType[dtype], shape: { dim } } } });
  const model = create(ModelProtoSchema, {
    irVersion: 10n,
    producerName: 'crucible',
    opsetImport: [{ domain: '', version: 21n }],
    graph: create(GraphProtoSchema, {
      name: 'identity',
      node: [create(NodeProtoSchema, { opType: 'Identity', name: 'copy', input: ['x'], output: ['y'] })],
      input: [info('x')],
      output: [info('y')],
    }),
  });
  return toBinary(ModelProtoSchema, model);
}
