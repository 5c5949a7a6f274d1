/** How error codes travel: every code has a gRPC status of its own, and every gRPC status has a code. */
import { status } from '@grpc/grpc-js';
import type { ErrorCode } from '@crucible/foundation';

export const statusFromCode = {
  'invalid-input': status.INVALID_ARGUMENT,
  'not-found': status.NOT_FOUND,
  conflict: status.ALREADY_EXISTS,
  'failed-precondition': status.FAILED_PRECONDITION,
  'resource-exhausted': status.RESOURCE_EXHAUSTED,
  unauthenticated: status.UNAUTHENTICATED,
  'permission-denied': status.PERMISSION_DENIED,
  unavailable: status.UNAVAILABLE,
  'deadline-exceeded': status.DEADLINE_EXCEEDED,
  cancelled: status.CANCELLED,
  'data-loss': status.DATA_LOSS,
  unimplemented: status.UNIMPLEMENTED,
  internal: status.INTERNAL,
} as const satisfies Record<ErrorCode, status>;

/** Statuses that Crucible never sends; other servers, proxies and gRPC itself do. */
const foreignStatuses = {
  [status.UNKNOWN]: 'internal',
  [status.ABORTED]: 'conflict',
  [status.OUT_OF_RANGE]: 'invalid-input',
} as const satisfies Partial<Record<status, ErrorCode>>;

type OwnStatus = (typeof statusFromCode)[ErrorCode];
type ForeignStatus = keyof typeof foreignStatuses;
type FailedStatus = Exclude<status, status.OK>;

const ownStatuses = Object.fromEntries(
  Object.entries(statusFromCode).map(([code, number]) => [number, code]),
) as Record<OwnStatus, ErrorCode>;

// Does not compile when a status is in neither table.
const codes: Record<FailedStatus, ErrorCode> = { ...ownStatuses, ...foreignStatuses } satisfies Record<
  OwnStatus | ForeignStatus,
  ErrorCode
>;

/** The code of a failed status; a number that gRPC does not know is `internal`. */
export function codeFromStatus(number: number): ErrorCode {
  return (codes as Partial<Record<number, ErrorCode>>)[number] ?? 'internal';
}
