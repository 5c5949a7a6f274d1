/** Runs of strategies: those that go on and those that have ended. */
import type { Step } from '@crucible/prompting';
import { parseStep } from '../trace/trace.ts';
import type { Approval } from './chat.ts';
import { eventsOf } from './event-stream.ts';
import { ApiError, getJson, postJson, request } from './http.ts';

/** `waiting`: for an approval. `interrupted`: nobody listened any more, or the service was restarted. */
type RunState = 'running' | 'waiting' | 'interrupted' | 'ended';

export interface Run {
  readonly id: string;
  readonly state: RunState;
  readonly strategy: string;
  readonly model: string;
  /** What it searches; of a gateway of before, not known. */
  readonly collection?: string | null;
  readonly question: string;
  /** Seconds since 1970. */
  readonly created: number | null;
}

export interface RunWithSteps extends Run {
  readonly steps: readonly Step[];
  readonly approvals: readonly Approval[];
}

export interface RunPage {
  readonly data: readonly Run[];
  readonly after: string | null;
}

export type RunUpdate =
  { readonly kind: 'step'; readonly step: Step } | { readonly kind: 'approval'; readonly approval: Approval };

function at(id: string): string {
  return `/v1/runs/${encodeURIComponent(id)}`;
}

export function listRuns(after: string, signal?: AbortSignal): Promise<RunPage> {
  const query = new URLSearchParams({ limit: '50', ...(after !== '' && { after }) });
  return getJson(`/v1/runs?${query}`, signal);
}

export async function getRun(id: string, signal?: AbortSignal): Promise<RunWithSteps> {
  const run = await getJson<Run & { steps?: readonly unknown[]; approvals?: readonly Approval[] }>(at(id), signal);
  return {
    ...run,
    steps: (run.steps ?? []).flatMap((step) => parseStep(step) ?? []),
    approvals: run.approvals ?? [],
  };
}

/** What happens after a step, until the run ends or the signal says so. */
export async function* followRun(
  id: string,
  afterStep: number,
  signal: AbortSignal,
): AsyncGenerator<RunUpdate, void, undefined> {
  const response = await request(`${at(id)}/events?after=${afterStep}`, { signal });
  for await (const { data } of eventsOf(response)) {
    if (data === '[DONE]') return;
    const event = JSON.parse(data) as {
      readonly step?: unknown;
      readonly approval?: Approval;
      readonly error?: { readonly message: string };
    };
    if (event.error) throw new ApiError(event.error.message, response.status);
    const step = parseStep(event.step);
    if (step) yield { kind: 'step', step };
    if (event.approval) yield { kind: 'approval', approval: event.approval };
  }
}

/** A picture that a step of the run names. */
export async function getPicture(runId: string, picture: string, signal: AbortSignal): Promise<Blob> {
  const response = await request(`${at(runId)}/pictures/${encodeURIComponent(picture)}`, { signal });
  return response.blob();
}

export async function answerApproval(
  runId: string,
  approvalId: string,
  approved: boolean,
  reason: string,
): Promise<void> {
  await postJson(`${at(runId)}/approvals/${encodeURIComponent(approvalId)}`, {
    approved,
    ...(reason !== '' && { reason }),
  });
}

/** Goes on with one that was interrupted. */
export async function resumeRun(runId: string): Promise<void> {
  await postJson(`${at(runId)}/resume`, {});
}

export async function cancelRun(runId: string): Promise<void> {
  await postJson(`${at(runId)}/cancel`, {});
}
