import { JetStreamApiError, JetStreamError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';
import { CrucibleError } from '@crucible/foundation';
import type { ErrorCode } from '@crucible/foundation';

/** JetStream's codes that mean that something is full, or would be. */
const fullCodes = [
  10023, // insufficient resources
  10028, // memory resources exceeded
  10047, // storage resources exceeded
  10077, // a limit of the stream
];

/** An error of the NATS client in the words of the project; `what` says what was tried. */
export function errorFromNats(reason: unknown, what: string): CrucibleError {
  if (reason instanceof CrucibleError) return reason;
  const message = reason instanceof Error ? reason.message : String(reason);
  return new CrucibleError(codeOf(reason), `${what}: ${message}`, { cause: reason });
}

function codeOf(reason: unknown): ErrorCode {
  if (reason instanceof errors.AuthorizationError || reason instanceof errors.UserAuthenticationExpiredError)
    return 'unauthenticated';
  if (reason instanceof errors.PermissionViolationError) return 'permission-denied';
  if (reason instanceof JetStreamApiError) return codeOfApi(reason);
  if (reason instanceof errors.InvalidArgumentError) return 'invalid-input';
  if (reason instanceof Error && reason.cause instanceof Error) return codeOf(reason.cause);
  const isTransient =
    reason instanceof JetStreamError ||
    reason instanceof errors.TimeoutError ||
    reason instanceof errors.RequestError ||
    reason instanceof errors.NoRespondersError ||
    reason instanceof errors.ConnectionError ||
    reason instanceof errors.ClosedConnectionError ||
    reason instanceof errors.DrainingConnectionError;
  return isTransient ? 'unavailable' : codeOfSystem(reason);
}

/** Names and networks that are not there yet, and certificates that one side does not accept. */
function codeOfSystem(reason: unknown): ErrorCode {
  const code = reason instanceof Error ? ((reason as NodeJS.ErrnoException).code ?? '') : '';
  if (/^(ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/.test(code)) return 'unavailable';
  if (/CERT|TLS|SSL/.test(code)) return 'unauthenticated';
  return CrucibleError.from(reason).code;
}

function codeOfApi({ code, status }: JetStreamApiError): ErrorCode {
  if (fullCodes.includes(code)) return 'resource-exhausted';
  if (status === 404) return 'not-found';
  return status === 503 ? 'unavailable' : 'failed-precondition';
}
