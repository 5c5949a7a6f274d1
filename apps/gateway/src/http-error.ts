/** Errors in the form that OpenAI's clients read: {error: {message, type, param, code}}. */
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { CrucibleError, type ErrorCode } from '@crucible/foundation';

export const httpStatuses: Readonly<Record<ErrorCode, ContentfulStatusCode>> = {
  'invalid-input': 400,
  'not-found': 404,
  conflict: 409,
  'failed-precondition': 503,
  'resource-exhausted': 429,
  unauthenticated: 401,
  'permission-denied': 403,
  unavailable: 503,
  'deadline-exceeded': 504,
  cancelled: 408,
  'data-loss': 500,
  unimplemented: 501,
  internal: 500,
};

export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

export function errorBody(error: CrucibleError): ErrorBody {
  const status = httpStatuses[error.code];
  const type =
    status === 404 || status === 400 ? 'invalid_request_error' : status === 429 ? 'rate_limit_error' : 'server_error';
  return { error: { message: error.message, type, param: error.at ?? null, code: openAiCode(error) } };
}

export function errorResponse(context: Context, reason: unknown): Response {
  const error = CrucibleError.from(reason);
  const status = httpStatuses[error.code];
  if (status === 503 || status === 429) context.header('Retry-After', '1');
  return context.json(errorBody(error), status);
}

/** Codes that clients know; others carry ours. */
function openAiCode({ code, at }: CrucibleError): string {
  if (code === 'not-found' && at === 'model') return 'model_not_found';
  if (code === 'invalid-input' && at === 'messages') return 'context_length_exceeded';
  return code.replaceAll('-', '_');
}
