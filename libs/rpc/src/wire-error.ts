/**
 * Errors on the wire. A server sends the status of the error's code, its message, and a google.rpc.Status with an
 * ErrorInfo in the trailer `grpc-status-details-bin`, which carries the code itself and the field at fault. A client
 * makes the same CrucibleError of them; from servers that send no such details it makes one of the status alone.
 */
import { Metadata, status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import { CrucibleError, errorCodes } from '@crucible/foundation';
import type { ErrorCode } from '@crucible/foundation';
import { ErrorInfoSchema } from '@crucible/protos/google/rpc/error-details';
import type { ErrorInfo } from '@crucible/protos/google/rpc/error-details';
import { StatusSchema } from '@crucible/protos/google/rpc/status';
import { codeFromStatus, statusFromCode } from './status.ts';

const detailsKey = 'grpc-status-details-bin';
const domain = 'crucible';

// Trailers travel as HTTP/2 headers, of which some clients take no more than 8 KiB in all; the message is in them twice,
// once percent-encoded, which makes up to three bytes of one.
const maxMessageBytes = 1500;
const maxAtBytes = 200;

/** What grpc-js wants to be given for a failed call. */
export interface WireError {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** Internal errors say nothing but where to look: their messages may hold paths, code and data of ours. */
export function wireErrorFrom(error: CrucibleError, requestId: string): WireError {
  const internal = error.code === 'internal';
  const message = internal
    ? `internal error; the server's log has it under request ${requestId}`
    : shorten(error.message, maxMessageBytes);
  const at = internal || error.at === undefined ? undefined : shorten(error.at, maxAtBytes);
  const code = statusFromCode[error.code];
  const info = create(ErrorInfoSchema, {
    reason: error.code.toUpperCase().replaceAll('-', '_'),
    domain,
    metadata: { code: error.code, ...(at === undefined ? {} : { at }) },
  });
  const details = create(StatusSchema, { code, message, details: [anyPack(ErrorInfoSchema, info)] });
  const metadata = new Metadata();
  metadata.set(detailsKey, Buffer.from(toBinary(StatusSchema, details)));
  return { code, details: message, metadata };
}

/** `call` names method and target; it precedes messages that come from gRPC and not from the code of a server. */
export function errorFromServiceError(error: ServiceError, call: string): CrucibleError {
  const info = errorInfoFrom(error.metadata);
  if (info === undefined) {
    // Who cancels a call knows it; to anybody else the status means that the connection was cut off.
    const code = error.code === status.CANCELLED ? 'unavailable' : codeFromStatus(error.code);
    return new CrucibleError(code, `${call}: ${error.details}`, { cause: error });
  }
  const { code = '', at } = info.metadata;
  return new CrucibleError(isErrorCode(code) ? code : codeFromStatus(error.code), error.details, {
    cause: error,
    ...(at === undefined ? {} : { at }),
  });
}

function errorInfoFrom(metadata: Metadata): ErrorInfo | undefined {
  const [bytes] = metadata.get(detailsKey);
  if (!Buffer.isBuffer(bytes)) return undefined;
  try {
    const { details } = fromBinary(StatusSchema, bytes);
    const infos = details.map((detail) => anyUnpack(detail, ErrorInfoSchema));
    return infos.find((info) => info?.domain === domain);
  } catch {
    return undefined;
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return (errorCodes as readonly string[]).includes(code);
}

/** Whole characters only, which `Buffer` sees to: grpc-js throws on half a surrogate pair. */
function shorten(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.byteLength <= maxBytes) return bytes.toString();
  return `${new TextDecoder().decode(bytes.subarray(0, maxBytes), { stream: true })}…`;
}
