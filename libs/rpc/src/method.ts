/** What gRPC wants to know of a method. */
import type { MethodDefinition } from '@grpc/grpc-js';
import type { DescMethod } from '@bufbuild/protobuf';

/** `crucible.policy.v1.PolicyService/Generate` */
export function methodName(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}

export function streamsRequests(method: DescMethod): boolean {
  return method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming';
}

export function streamsResponses(method: DescMethod): boolean {
  return method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming';
}

/** Messages pass through grpc-js as bytes: codec.ts makes and reads them, where what is wrong with one can be told. */
export function methodDefinition(method: DescMethod): MethodDefinition<Buffer, Buffer> {
  const asIs = (bytes: Buffer): Buffer => bytes;
  return {
    path: `/${methodName(method)}`,
    requestStream: streamsRequests(method),
    responseStream: streamsResponses(method),
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}
