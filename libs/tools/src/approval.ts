/**
 * Tools that a person has to allow, call by call. Whoever asks decides how (libs cannot know): over a stream, by a
 * page, at a terminal. Only a clear yes to this very call lets it run; a no, no answer, an answer of another shape and
 * an asker that fails do not.
 */
import type { Tool } from '@crucible/prompting';
import { CrucibleError, invalidInput } from '@crucible/foundation';

export interface ApprovalRequest {
  /** Of this call alone: two calls with the same input are asked for apart. */
  readonly id: string;
  readonly tool: string;
  readonly description: string;
  /** What it would run with; it cannot be changed after it was shown. */
  readonly input: Readonly<Record<string, unknown>>;
}

export type ApprovalAnswer =
  | { readonly approved: true }
  | {
      readonly approved: false;
      /** For the model, so that it does not try again. */
      readonly reason?: string;
    };

export interface ApprovalOptions {
  readonly ask: (request: ApprovalRequest, options: { readonly signal: AbortSignal }) => Promise<ApprovalAnswer>;
  /** No answer for so long is a no, in ms. Default 10 minutes. */
  readonly timeout?: number;
  /** Default: a random one. Runs that are resumed give the one that the answer was given to. */
  readonly createId?: (tool: string, input: Readonly<Record<string, unknown>>) => string;
}

/** The tool, but asked for before it runs. */
export function withApproval(tool: Tool, options: ApprovalOptions): Tool {
  const { ask, timeout = 600_000, createId = () => crypto.randomUUID() } = options;
  if (!(timeout > 0 && timeout <= 2 ** 31 - 1))
    throw invalidInput(`timeout: ${timeout} is not above 0 ms and at most 2147483647`, { at: 'timeout' });
  return {
    ...tool,
    run: async (input, { signal }) => {
      // Neither the model's side nor the asker's can change what was agreed on.
      const agreed = frozen(structuredClone(input));
      const answer = await answerTo(
        ask,
        { id: createId(tool.name, agreed), tool: tool.name, description: tool.description, input: agreed },
        { signal, timeout },
      );
      if (signal.aborted) throw new CrucibleError('cancelled', `${tool.name} was cancelled`, { cause: signal.reason });
      if (answer !== true) throw new CrucibleError('permission-denied', `${tool.name} was not run: ${answer}`);
      return tool.run(agreed, { signal });
    },
  };
}

/** True, or why not. */
async function answerTo(
  ask: ApprovalOptions['ask'],
  request: ApprovalRequest,
  { signal, timeout }: { readonly signal: AbortSignal; readonly timeout: number },
): Promise<true | string> {
  const late = AbortSignal.timeout(timeout);
  const ends = AbortSignal.any([signal, late]);
  const ended = Promise.withResolvers<never>();
  const leave = (): void => ended.reject(ends.reason as Error);
  ended.promise.catch(() => undefined);
  if (ends.aborted) leave();
  else ends.addEventListener('abort', leave, { once: true });
  try {
    const asked = Promise.resolve().then(() => {
      ends.throwIfAborted();
      return ask(request, { signal: ends });
    });
    asked.catch(() => undefined);
    const answer: unknown = await Promise.race([asked, ended.promise]);
    if (ends.aborted) throw ends.reason as Error;
    const { approved, reason } = (typeof answer === 'object' && answer !== null ? answer : {}) as {
      approved?: unknown;
      reason?: unknown;
    };
    if (approved === true) return true;
    return typeof reason === 'string' && reason !== ''
      ? `the user refused it: ${reason}`
      : 'the user refused it; do not try it again';
  } catch {
    return late.aborted ? `nobody allowed it within ${timeout / 1000} s` : 'it could not be asked for';
  } finally {
    ends.removeEventListener('abort', leave);
  }
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value);
    for (const each of Object.values(value)) frozen(each);
  }
  return value;
}
