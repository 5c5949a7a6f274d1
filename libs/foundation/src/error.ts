/**
 * The one error vocabulary of the project. Codes are a closed set; every edge maps them to its own:
 * gRPC status codes in libs/rpc, HTTP statuses in apps/gateway, exit codes in apps/cli.
 */
export const errorCodes = [
  /** The caller gave something wrong: an option, a file, a request field. Retrying as is cannot help. */
  'invalid-input',
  /** What was named does not exist. */
  'not-found',
  /** It exists already, or somebody else holds it (a busy port, a job id). */
  'conflict',
  /** The system is not in the state that this call needs (no model is loaded yet). */
  'failed-precondition',
  /** A limit was reached: disk, memory, a queue. */
  'resource-exhausted',
  'unauthenticated',
  'permission-denied',
  /** The other side cannot be reached at present; retrying may help. */
  'unavailable',
  'deadline-exceeded',
  'cancelled',
  /** Stored data is damaged: a checksum, a truncated file. */
  'data-loss',
  'unimplemented',
  /** A broken invariant of ours: a bug. */
  'internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export interface CrucibleErrorOptions {
  readonly cause?: unknown;
  /** The request field, option or `file:line` that is at fault, for programs that read errors. */
  readonly at?: string;
}

/** An error that a person can act on: the message names what was wrong, where, and what is allowed. */
export class CrucibleError extends Error {
  readonly code: ErrorCode;
  readonly at: string | undefined;

  constructor(code: ErrorCode, message: string, options: CrucibleErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CrucibleError';
    this.code = code;
    this.at = options.at;
  }

  /** Turns anything caught into a CrucibleError; what is one already passes through unchanged. */
  static from(reason: unknown): CrucibleError {
    if (reason instanceof CrucibleError) return reason;
    if (!(reason instanceof Error)) return new CrucibleError('internal', String(reason), { cause: reason });
    const code = codeFromSystemError(reason);
    return new CrucibleError(code, reason.message, { cause: reason });
  }
}

/** Shorthand for the most frequent error: the caller gave something wrong. */
export function invalidInput(message: string, options?: CrucibleErrorOptions): CrucibleError {
  return new CrucibleError('invalid-input', message, options);
}

function codeFromSystemError(error: Error): ErrorCode {
  if (error.name === 'AbortError') return 'cancelled';
  if (error.name === 'TimeoutError') return 'deadline-exceeded';
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'not-found';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'permission-denied';
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EMFILE':
    case 'ENOMEM':
      return 'resource-exhausted';
    case 'EADDRINUSE':
    case 'EEXIST':
    case 'ENOTEMPTY':
      return 'conflict';
    case 'ECONNREFUSED':
    case 'ECONNRESET':
    case 'EPIPE':
      return 'unavailable';
    default:
      return 'internal';
  }
}
