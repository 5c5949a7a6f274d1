import type { CallReport } from '@crucible/rpc';
import type { Logger } from './service.ts';

/**
 * Logs the calls that a gRPC server has answered: its `onCallEnd`. Answered ones at `debug`, those that failed through
 * no fault of ours at `info`, and ours at `error` with the stack, of which callers learn nothing.
 */
export function logCalls(log: Logger): (report: CallReport) => void {
  return ({ method, requestId, peer, durationMs, code, error }) => {
    const call = { method, requestId, peer, ms: Math.round(durationMs), code };
    if (error === undefined) log.debug(call, 'a call was answered');
    else if (code === 'internal' || code === 'data-loss')
      log.error({ ...call, error: error.message, stack: causeOf(error).stack }, 'a call failed');
    else log.info({ ...call, error: error.message }, 'a call failed');
  };
}

/** What was thrown first. */
function causeOf(error: Error): Error {
  return error.cause instanceof Error ? causeOf(error.cause) : error;
}
