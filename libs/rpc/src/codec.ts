/** Messages to bytes and back. Both directions throw plain errors of protobuf-es for what does not fit the schema. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { DescMessage } from '@bufbuild/protobuf';
import { CrucibleError } from '@crucible/foundation';

/** `message` may be an object with some of the fields. `resource-exhausted` when it has more than `maxBytes` bytes. */
export function encode(schema: DescMessage, message: object, maxBytes: number): Buffer {
  const bytes = toBinary(schema, create(schema, message as Record<string, unknown>));
  if (bytes.byteLength > maxBytes)
    throw new CrucibleError(
      'resource-exhausted',
      `a ${schema.typeName} of ${bytes.byteLength} bytes is above the limit of ${maxBytes}`,
    );
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function decode(schema: DescMessage, bytes: Uint8Array): object {
  return fromBinary(schema, bytes);
}
