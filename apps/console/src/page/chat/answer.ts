/** An answer on its way: what has come of it, told a few times a second however fast it comes. */
import { type Approval, type ChatBody, streamChat } from '../api/chat.ts';
import { isAbort, messageOf } from '../api/http.ts';
import { answerApproval, cancelRun } from '../api/runs.ts';
import { announce } from '../shell/announcer.tsx';
import { Store } from '../store.ts';
import { Trace, type TraceView } from '../trace/trace.ts';
import type { Lane } from './lane.ts';

export interface AskedApproval extends Approval {
  /** `over`: the run ended before somebody decided. */
  readonly state: 'open' | 'sending' | 'allowed' | 'refused' | 'over';
  readonly reason: string;
  readonly error: string | undefined;
}

export interface AnswerState {
  readonly status: 'running' | 'done' | 'stopped' | 'failed';
  readonly text: string;
  /** Undefined: there are no steps; the model was asked without a strategy. */
  readonly trace: TraceView | undefined;
  readonly runId: string | undefined;
  readonly approvals: readonly AskedApproval[];
  readonly error: string | undefined;
  readonly wasCut: boolean;
  readonly tokens: number | undefined;
  readonly elapsedMs: number;
}

/** Milliseconds between two looks at an answer that grows. */
const pace = 50;

export class Answer {
  readonly lane: Lane;
  readonly state = new Store<AnswerState>({
    status: 'running',
    text: '',
    trace: undefined,
    runId: undefined,
    approvals: [],
    error: undefined,
    wasCut: false,
    tokens: undefined,
    elapsedMs: 0,
  });
  /** Resolves when nothing more comes. */
  readonly done: Promise<void>;
  readonly #ending = new AbortController();
  readonly #began = performance.now();
  readonly #trace = new Trace();
  #pieces: string[] = [];
  #hasSteps = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(lane: Lane, body: ChatBody) {
    this.lane = lane;
    this.done = this.#run(body);
  }

  stop(): void {
    const { runId, status } = this.state.get();
    if (status !== 'running') return;
    // Leaving the stream ends the run too; this tells it in so many words.
    if (runId !== undefined) cancelRun(runId).catch(() => undefined);
    this.#ending.abort();
  }

  async decide(id: string, approved: boolean, reason: string): Promise<void> {
    const { runId } = this.state.get();
    if (runId === undefined) return;
    this.#changeApproval(id, { state: 'sending', reason, error: undefined });
    try {
      await answerApproval(runId, id, approved, reason);
      this.#changeApproval(id, { state: approved ? 'allowed' : 'refused' });
    } catch (caught) {
      this.#changeApproval(id, { state: 'open', error: messageOf(caught) });
    }
  }

  async #run(body: ChatBody): Promise<void> {
    try {
      for await (const update of streamChat(body, this.#ending.signal)) {
        switch (update.kind) {
          case 'text':
            this.#pieces.push(update.text);
            break;
          case 'step':
            this.#hasSteps = true;
            this.#trace.add(update.step);
            break;
          case 'run':
            this.#change({ runId: update.id });
            break;
          case 'approval': {
            const asked = { ...update.approval, state: 'open', reason: '', error: undefined } as const;
            // One that is told again is the same.
            const others = this.state.get().approvals.filter(({ id }) => id !== asked.id);
            this.#change({ approvals: [...others, asked] });
            announce(`The model asks whether it may use ${asked.tool}.`);
            break;
          }
          case 'finish':
            this.#change({ wasCut: update.reason === 'length' });
            break;
          case 'tokens':
            this.#change({ tokens: update.prompt + update.completion });
            break;
        }
        this.#timer ??= setTimeout(() => this.#look(), pace);
      }
      this.#end('done', undefined);
    } catch (reason) {
      if (isAbort(reason) || this.#ending.signal.aborted) this.#end('stopped', undefined);
      else this.#end('failed', messageOf(reason));
    }
  }

  #look(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const pieces = this.#pieces.splice(0).join('');
    this.#change({
      text: this.state.get().text + pieces,
      ...(this.#hasSteps && { trace: this.#trace.view() }),
      elapsedMs: performance.now() - this.#began,
    });
  }

  #end(status: AnswerState['status'], error: string | undefined): void {
    this.#look();
    const { approvals } = this.state.get();
    this.#change({
      status,
      error,
      approvals: approvals.map((each) => (each.state === 'open' ? { ...each, state: 'over' } : each)),
    });
  }

  #change(part: Partial<AnswerState>): void {
    this.state.set({ ...this.state.get(), ...part });
  }

  #changeApproval(id: string, part: Partial<AskedApproval>): void {
    const { approvals } = this.state.get();
    this.#change({ approvals: approvals.map((each) => (each.id === id ? { ...each, ...part } : each)) });
  }
}

/** What stands as the answer: the run's, once it is known, for it has been read and checked. */
export function answerText({ text, trace }: AnswerState): string {
  return trace?.answer?.text ?? text;
}
