import { Client, Metadata, credentials } from '@grpc/grpc-js';
import { create, createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { FileDescriptorProto } from '@bufbuild/protobuf/wkt';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { describe, expect, it } from 'vitest';
import { UnaryRequestSchema } from './generated/crucible/rpctest/v1/rpctest_pb.ts';
import { createServer } from './server.ts';
import { testService } from './test-server.ts';

/** Fields of the messages of grpc.reflection, v1 and v1alpha alike. */
const field = {
  fileByFilename: 3,
  fileContainingSymbol: 4,
  listServices: 7,
  fileDescriptorResponse: 4,
  listServicesResponse: 6,
  errorResponse: 7,
} as const;

/** One question and its answer, over the protocol itself. */
async function ask(target: string, version: string, question: number, text: string): Promise<Map<number, Buffer[]>> {
  const asIs = (bytes: Buffer): Buffer => bytes;
  const client = new Client(target, credentials.createInsecure());
  const stream = client.makeBidiStreamRequest(
    `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    asIs,
    asIs,
    new Metadata(),
    { deadline: Date.now() + 10_000 },
  );
  const answer = new Promise<Buffer>((resolve, reject) => stream.on('data', resolve).on('error', reject));
  stream.end(Buffer.from(new BinaryWriter().tag(question, WireType.LengthDelimited).string(text).finish()));
  const fields = fieldsOf(await answer);
  client.close();
  return fields;
}

/** The length-delimited fields of a message. */
function fieldsOf(message: Uint8Array): Map<number, Buffer[]> {
  const fields = new Map<number, Buffer[]>();
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (type !== WireType.LengthDelimited) reader.skip(type);
    else fields.set(number, [...(fields.get(number) ?? []), Buffer.from(reader.bytes())]);
  }
  return fields;
}

async function filesOf(
  target: string,
  version: string,
  question: number,
  text: string,
): Promise<FileDescriptorProto[]> {
  const [response] = (await ask(target, version, question, text)).get(field.fileDescriptorResponse) ?? [];
  return (fieldsOf(response!).get(1) ?? []).map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

describe.each(['v1', 'v1alpha'])('reflection %s', (version) => {
  it('lists the services', async () => {
    await using server = await createServer({ port: 0, services: [testService({})] });
    const [response] =
      (await ask(server.target, version, field.listServices, '*')).get(field.listServicesResponse) ?? [];
    const names = fieldsOf(response!)
      .get(1)
      ?.map((service) => fieldsOf(service).get(1)?.toString());
    expect(names?.sort()).toEqual(['crucible.rpctest.v1.RpcTestService', 'grpc.health.v1.Health']);
  });

  it('describes a service with all that it imports', async () => {
    await using server = await createServer({ port: 0, services: [testService({})] });
    const name = 'crucible.rpctest.v1.RpcTestService';
    const file = await filesOf(server.target, version, field.fileContainingSymbol, name);
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: file.reverse() }));
    const service = registry.getService(name)!;
    expect(service.methods.map((method) => method.methodKind)).toEqual([
      'unary',
      'server_streaming',
      'client_streaming',
      'bidi_streaming',
    ]);
    const request = service.method['unary']!.input;
    expect(request.fields.map(({ name, presence }) => [name, presence])).toEqual(
      UnaryRequestSchema.fields.map(({ name, presence }) => [name, presence]),
    );
    expect(registry.getMessage('google.protobuf.Struct')).toBeDefined();
  });

  it('describes the details of errors', async () => {
    await using server = await createServer({ port: 0, services: [] });
    const [file] = await filesOf(server.target, version, field.fileContainingSymbol, 'google.rpc.ErrorInfo');
    expect(file!.messageType.map(({ name }) => name)).toEqual(['ErrorInfo']);
  });

  it('says so when it does not know a name', async () => {
    await using server = await createServer({ port: 0, services: [] });
    const answer = await ask(server.target, version, field.fileContainingSymbol, 'no.such.Name');
    expect(fieldsOf(answer.get(field.errorResponse)![0]!).get(2)?.toString()).toBe('Symbol not found: no.such.Name');
  });

  it('knows nothing of names that are properties of every object', async () => {
    await using server = await createServer({ port: 0, services: [] });
    for (const name of ['__proto__', 'constructor'])
      expect(await filesOf(server.target, version, field.fileContainingSymbol, name)).toEqual([
        create(FileDescriptorProtoSchema),
      ]);
  });

  it('can be switched off', async () => {
    await using server = await createServer({ port: 0, services: [], reflection: false });
    await expect(ask(server.target, version, field.listServices, '*')).rejects.toMatchObject({ code: 12 });
  });
});
