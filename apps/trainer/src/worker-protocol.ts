/** What the trainer and the process that runs a job say to each other. */
import type { JobProgress, ModelReference } from './job.ts';

export interface PublishedModel extends ModelReference {
  readonly uri: string;
  readonly stage: string;
  readonly step: number;
  readonly parent?: string | undefined;
  readonly sha256: string;
}

export interface TrainingMethods {
  /** Runs a job to its end, from where its folder says it was. */
  run: {
    args: {
      /** crucible.trainer.v1.JobSpec as JSON. */
      readonly spec: unknown;
      /** Belongs to the job: tokenizer, checkpoints, record. */
      readonly folder: string;
      /** The root of the model registry. */
      readonly models: string;
    };
    result: { readonly models: readonly string[]; readonly metrics: Readonly<Record<string, number>> };
    item:
      ({ readonly kind: 'progress' } & JobProgress) | { readonly kind: 'published'; readonly model: PublishedModel };
  };
}
