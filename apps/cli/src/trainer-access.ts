import { join } from 'node:path';
import type { Settings } from '@crucible/service';
import { host } from './hosting.ts';
import { JobClient } from './job-client.ts';
import { findRunning } from './run-file.ts';

export interface TrainerAccess extends AsyncDisposable {
  readonly jobs: JobClient;
  /** Whether the trainer lives in this process, so that jobs stop when it does. */
  readonly isOwn: boolean;
}

/**
 * The trainer that $CRUCIBLE_TRAINER_TARGET names, or else that of a running `crucible up` in the same home; where there is
 * none, one in this process.
 */
export async function accessTrainer(settings: Settings): Promise<TrainerAccess> {
  const target = settings.targets.trainer ?? findRunning(settings.home)?.trainer;
  if (target !== undefined) {
    const jobs = new JobClient(target);
    return {
      jobs,
      isOwn: false,
      [Symbol.asyncDispose]: () => {
        jobs[Symbol.dispose]();
        return Promise.resolve();
      },
    };
  }
  const bus = settings.bus.startsWith('embedded:') ? settings.bus : `embedded:${join(settings.home, 'bus')}`;
  const hosted = await host({ ...settings, bus, ports: { ...settings.ports, trainer: 0 } }, ['trainer'], 'error');
  const jobs = new JobClient(hosted.services.trainer!.target);
  return {
    jobs,
    isOwn: true,
    [Symbol.asyncDispose]: async () => {
      jobs[Symbol.dispose]();
      await hosted.close(2000);
    },
  };
}
