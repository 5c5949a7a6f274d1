/** Errors in the form that OpenAI's clients read: {error: {message, type, param, code}}. */
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { CrucibleError, type ErrorCode } from '@crucible/foundation';
import { RateLimitError } from './rate-limits.ts';

const httpStatuses: Readonly<Record<ErrorCode, ContentfulStatusCode>> = {
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
  const status = statusOf(error);
  const type = status === 429 ? 'rate_limit_error' : status < 500 ? 'invalid_request_error' : 'server_error';
  // Messages of our own bugs may hold paths, code and data of ours; the log has them.
  const message = error.code === 'internal' ? 'internal error; the log of the gateway has more' : error.message;
  return { error: { message, type, param: error.at ?? null, code: openAiCode(error) } };
}

export function errorResponse(context: Context, reason: unknown): Response {
  const error = CrucibleError.from(reason);
  const status = statusOf(error);
  const waitMs = error instanceof RateLimitError ? error.retryAfterMs : 1000;
  if (status === 503 || status === 429) context.header('Retry-After', String(Math.max(1, Math.ceil(waitMs / 1000))));
  return context.json(errorBody(error), status);
}

/** The prompt, or the prompt and the answer that is asked for, are too long for the model. */
export class ContextLengthError extends CrucibleError {
  constructor(message: string, at: string) {
    super('invalid-input', message, { at });
  }
}

/** The body is too large to be read. */
export class BodyTooLargeError extends CrucibleError {
  constructor(mostBytes: number) {
    super('invalid-input', `the body is larger than ${mostBytes} bytes`, { at: 'body' });
  }
}

function statusOf(error: CrucibleError): ContentfulStatusCode {
  return error instanceof BodyTooLargeError ? 413 : httpStatuses[error.code];
}

/** Codes that clients know; others carry ours. */
function openAiCode(error: CrucibleError): string {
  if (error.code === 'not-found' && error.at === 'model') return 'model_not_found';
  if (error instanceof ContextLengthError) return 'context_length_exceeded';
  if (error instanceof RateLimitError) return 'rate_limit_exceeded';
  if (error.code === 'unauthenticated') return 'invalid_api_key';
  return error.code.replaceAll('-', '_');
}
