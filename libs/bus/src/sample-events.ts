/** Events for tests. */
import { createEvent } from './event.ts';
import type { BusEvent } from './event.ts';

/** Its id is the job's. */
export function submitted(jobId: string): BusEvent<'crucible.job.submitted'> {
  const data = { jobId, kind: 'sft', spec: { steps: 10 } };
  return createEvent('crucible.job.submitted', { id: jobId, source: '/test', subject: jobId, data });
}

/** Its id is `JOB-STEP`. */
export function progress(jobId: string, step: number): BusEvent<'crucible.job.progress'> {
  const data = { jobId, kind: 'sft', stage: 'sft', step, steps: 100, metrics: { loss: 1 / (step + 1) } };
  return createEvent('crucible.job.progress', { id: `${jobId}-${step}`, source: '/test', subject: jobId, data });
}
