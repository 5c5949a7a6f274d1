/** Lets tools such as grpcurl list and describe the services of a server (grpc.reflection.v1 and v1alpha). */
import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { toBinary } from '@bufbuild/protobuf';
import type { DescFile, DescService } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { ErrorInfoSchema } from '@crucible/protos/google/rpc/error-details';
import { StatusSchema } from '@crucible/protos/google/rpc/status';

export function addReflection(server: Server, services: readonly DescService[]): void {
  // With what the details of errors are made of, so that tools can show them.
  const files = withImports([...services.map((service) => service.file), StatusSchema.file, ErrorInfoSchema.file]);
  const fileDescriptorProtos = files.map((file) => Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)));
  const descriptors = { format: 'Protocol Buffer 3 DescriptorProto', type: {}, fileDescriptorProtos } as const;
  new ReflectionService({ descriptors }, { services: services.map((service) => service.typeName) }).addToServer(server);
}

function withImports(files: readonly DescFile[]): DescFile[] {
  const all = new Set(files);
  // A set that grows while it is walked through is walked through to its new end.
  for (const file of all) for (const dependency of file.dependencies) all.add(dependency);
  return [...all];
}
