/**
 * What a run asks people for, and what they said. Both are in the journal, and on the disk before anything is done because
 * of them. Every question has the id of one call of one tool, and an answer is for that call alone.
 */
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { Tool, ToolResult } from '@crucible/prompting';
import { type ApprovalAnswer, type ApprovalRequest, withApproval } from '@crucible/tools';
import type { ActiveClock } from './active-clock.ts';
import type { Asked, Decided, Entry } from './journal.ts';

export interface ApprovalsInit {
  readonly entries: readonly Entry[];
  readonly append: (entry: Entry, options: { readonly lasting: boolean }) => void;
  /** Tells those who listen. */
  readonly tell: (asked: Asked) => void;
  readonly clock: ActiveClock;
  /** Milliseconds after which no answer is a no. */
  readonly timeout: number;
}

const mostReasonCharacters = 1000;

export class Approvals {
  readonly #init: ApprovalsInit;
  readonly #asked = new Map<string, Asked>();
  readonly #decided = new Map<string, Decided>();
  readonly #began = new Set<string>();
  readonly #waiting = new Map<string, (decided: Decided) => void>();

  constructor(init: ApprovalsInit) {
    this.#init = init;
    for (const entry of init.entries) {
      if (entry.kind === 'asked') this.#asked.set(entry.callId, entry);
      else if (entry.kind === 'decided') this.#decided.set(entry.callId, entry);
      else if (entry.kind === 'began') this.#began.add(entry.callId);
    }
  }

  /** Whether the run can do nothing but wait for people. */
  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  decide(callId: string, approved: boolean, reason: string): void {
    if (reason.length > mostReasonCharacters)
      throw invalidInput(`approval.reason: it has ${reason.length} characters; ${mostReasonCharacters} are allowed`, {
        at: 'approval.reason',
      });
    if (!this.#asked.has(callId))
      throw invalidInput(`approval.call_id: nothing is asked for under ${JSON.stringify(callId.slice(0, 100))}`, {
        at: 'approval.call_id',
      });
    // The first answer counts, and one that came too late does not.
    if (!this.#decided.has(callId)) this.#record({ callId, approved, reason: approved ? '' : reason, expired: false });
  }

  /** Runs the tool once it is allowed, and never a second time. */
  async run(
    callId: string,
    tool: Tool,
    input: Readonly<Record<string, unknown>>,
    { signal, isRepeatable }: { readonly signal: AbortSignal; readonly isRepeatable: boolean },
  ): Promise<ToolResult> {
    const once: Tool = {
      ...tool,
      run: (agreed, options) => {
        if (!isRepeatable) {
          if (this.#began.has(callId))
            throw new CrucibleError(
              'failed-precondition',
              `${tool.name} was begun before the run was interrupted, and nobody knows whether it was done; it is not run again`,
            );
          this.#init.append({ kind: 'began', callId }, { lasting: true });
        }
        return tool.run(agreed, options);
      },
    };
    const guarded = withApproval(once, {
      ask: (request, options) => this.#ask(request, options.signal),
      createId: () => callId,
      // The end of the waiting is in the journal, and comes first.
      timeout: 2 ** 31 - 1,
    });
    if (this.#decided.get(callId)?.expired) throw expiredError(tool.name);
    try {
      return await guarded.run(input, { signal });
    } catch (reason) {
      throw this.#decided.get(callId)?.expired ? expiredError(tool.name) : reason;
    }
  }

  async #ask({ id, tool, description, input }: ApprovalRequest, signal: AbortSignal): Promise<ApprovalAnswer> {
    const decided = this.#decided.get(id) ?? (await this.#answerTo({ callId: id, tool, description, input }, signal));
    if (decided.approved) return { approved: true };
    return { approved: false, ...(decided.reason !== '' && { reason: decided.reason }) };
  }

  #answerTo(question: Omit<Asked, 'expiresAt'>, signal: AbortSignal): Promise<Decided> {
    const { callId } = question;
    const asked = this.#asked.get(callId) ?? { ...question, expiresAt: Date.now() + this.#init.timeout };
    if (!this.#asked.has(callId)) {
      this.#asked.set(callId, asked);
      this.#init.append({ kind: 'asked', ...asked }, { lasting: true });
    }
    return this.#init.clock.whileWaiting(async () => {
      const { promise, resolve, reject } = Promise.withResolvers<Decided>();
      const leave = (): void => reject(signal.reason as Error);
      signal.addEventListener('abort', leave, { once: true });
      const expire = (): void => {
        try {
          this.#record({ callId, approved: false, reason: '', expired: true });
        } catch (reason) {
          // What cannot be written down is no answer, and never a yes.
          reject(reason);
        }
      };
      const timer = setTimeout(expire, Math.max(0, asked.expiresAt - Date.now()));
      this.#waiting.set(callId, resolve);
      try {
        signal.throwIfAborted();
        this.#init.tell(asked);
        return await promise;
      } finally {
        this.#waiting.delete(callId);
        clearTimeout(timer);
        signal.removeEventListener('abort', leave);
      }
    });
  }

  #record(decided: Decided): void {
    this.#init.append({ kind: 'decided', ...decided }, { lasting: true });
    this.#decided.set(decided.callId, decided);
    this.#waiting.get(decided.callId)?.(decided);
  }
}

function expiredError(tool: string): CrucibleError {
  return new CrucibleError('permission-denied', `${tool} was not run: nobody allowed it in time`);
}
