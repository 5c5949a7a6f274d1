/** The trainer: takes training jobs, runs them one after the other, and publishes the weights they make. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Bus } from '@crucible/bus';
import { ModelRegistry } from '@crucible/checkpoint';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { TrainerService } from '@crucible/protos/trainer/v1';
import { createServer, implementService, type ServerTls } from '@crucible/rpc';
import { type Logger, logCalls, type Service } from '@crucible/service';
import { isFinal } from './job.ts';
import { eventMessage, jobMessage, stateFromWire } from './job-message.ts';
import { JobRunner } from './job-runner.ts';
import { assertJobId, checkedSpec } from './job-spec.ts';
import { JobStore } from './job-store.ts';

export interface TrainerDependencies {
  readonly bus: Bus;
  /** Holds `models`, the registry, and `jobs`. */
  readonly home: string;
  readonly log: Logger;
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly tls?: ServerTls;
  /** Milliseconds without a sign of life after which the queue gives a job to another trainer. Default: 15,000. */
  readonly ackWait?: number;
  /** Where jobs compute. Default: what CRUCIBLE_DEVICE says. */
  readonly device?: string;
  /** What their matrix products are worked out in. Default: what CRUCIBLE_PRECISION says. */
  readonly precision?: string;
}

const mostJobs = 500;
const defaultPage = 50;
const mostWaiting = 1000;

export async function createTrainerService(dependencies: TrainerDependencies): Promise<Service> {
  const { bus, home, log, host, port, tls, ackWait = 15_000, device, precision } = dependencies;
  const models = join(home, 'models');
  const registry = new ModelRegistry(models);
  registry.removeLeftovers();
  const store = new JobStore(join(home, 'jobs'));
  const env = {
    ...(device !== undefined && { CRUCIBLE_DEVICE: device }),
    ...(precision !== undefined && { CRUCIBLE_PRECISION: precision }),
  };
  const runner = new JobRunner({ bus, store, models, log, ackWait, env });

  const service = implementService(TrainerService, {
    submitJob: async ({ jobId, spec }) => {
      const id = jobId === '' ? randomUUID() : jobId;
      assertJobId(id);
      const { kind, json } = checkedSpec(spec, registry);
      const known = store.find(id);
      if (known && JSON.stringify(known.spec) !== JSON.stringify(json)) {
        throw new CrucibleError('conflict', `job ${id} exists and has another spec`, { at: 'job_id' });
      }
      if (!known && store.list().filter(({ state }) => state === 'queued').length >= mostWaiting) {
        throw new CrucibleError('resource-exhausted', `${mostWaiting} jobs are waiting already`);
      }
      const job = known ?? store.create({ id, kind, spec: json, createdAt: new Date().toISOString() });
      if (job.state === 'queued') await runner.enqueue(job);
      return { job: jobMessage(store.get(id)) };
    },

    getJob: ({ jobId }) => ({ job: jobMessage(store.get(jobId)) }),

    listJobs: ({ pageSize, pageToken, states }) => {
      if (pageSize > mostJobs) {
        throw invalidInput(`page_size: ${pageSize} is above ${mostJobs}`, { at: 'page_size' });
      }
      const wanted = new Set(states.map(stateFromWire));
      const all = store.list().filter(({ state }) => wanted.size === 0 || wanted.has(state));
      const first =
        pageToken === '' ? 0 : all.findIndex(({ id }) => id === Buffer.from(pageToken, 'base64url').toString()) + 1;
      if (pageToken !== '' && first === 0)
        throw invalidInput('page_token: it is not one of ours', { at: 'page_token' });
      const page = all.slice(first, first + (pageSize === 0 ? defaultPage : pageSize));
      const isLast = first + page.length >= all.length;
      return {
        jobs: page.map(jobMessage),
        nextPageToken: isLast ? '' : Buffer.from(page.at(-1)!.id).toString('base64url'),
      };
    },

    cancelJob: async ({ jobId }) => ({ job: jobMessage(await runner.cancel(jobId)) }),

    watchJob: async function* ({ jobId, afterSequence }, { signal }) {
      const { lastSequence } = store.get(jobId);
      if (afterSequence > lastSequence) {
        throw invalidInput(`after_sequence: ${afterSequence} is beyond the last event, ${lastSequence}`, {
          at: 'after_sequence',
        });
      }
      for await (const event of store.watch(jobId, afterSequence, (job) => isFinal(job.state), signal)) {
        yield { event: eventMessage(event) };
      }
    },
  });

  const server = await createServer({ host, port, services: [service], onCallEnd: logCalls(log), ...(tls && { tls }) });
  await runner.start();
  log.info({ target: server.target, jobs: store.list().length }, 'the trainer serves');
  return {
    name: 'trainer',
    target: server.target,
    close: async (graceMs = 10_000) => {
      await runner.stop();
      await server.drain({ graceMs });
    },
  };
}
