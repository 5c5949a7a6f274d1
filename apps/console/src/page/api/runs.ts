/** Runs of strategies that the gateway knows of. */
import type { Step } from '@crucible/prompting';
import { parseStep } from '../trace/trace.ts';
import type { Approval } from './chat.ts';
import { postJson } from './http.ts';

export async function answerApproval(
  runId: string,
  approvalId: string,
  approved: boolean,
  reason: string,
): Promise<void> {
  await postJson(`/v1/runs/${encodeURIComponent(runId)}/approvals/${encodeURIComponent(approvalId)}`, {
    approved,
    ...(reason !== '' && { reason }),
  });
}

export async function cancelRun(runId: string): Promise<void> {
  await postJson(`/v1/runs/${encodeURIComponent(runId)}/cancel`, {});
}
