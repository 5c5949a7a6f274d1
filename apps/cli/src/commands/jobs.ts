import { Command } from 'commander';
import { timestampDate } from '@bufbuild/protobuf/wkt';
import { JobState } from '@crucible/protos/trainer/v1';
import { print, printJson, settingsFor } from '../context.ts';
import { minute, table } from '../terminal/format.ts';
import { accessTrainer } from '../trainer-access.ts';

const stateNames: Readonly<Partial<Record<number, string>>> = {
  [JobState.QUEUED]: 'queued',
  [JobState.RUNNING]: 'running',
  [JobState.SUCCEEDED]: 'succeeded',
  [JobState.FAILED]: 'failed',
  [JobState.CANCELLED]: 'cancelled',
};

export function jobsCommand(): Command {
  const jobs = new Command('jobs');
  jobs
    .command('list', { isDefault: true })
    .description('list the jobs, newest first')
    .option('--json', 'print JSON')
    .action(async (options: { json?: true }, command: Command) => {
      await using access = await accessTrainer(settingsFor(command));
      const all = (await access.jobs.list()).map((job) => ({
        id: job.id,
        kind: job.spec?.kind.case ?? 'unknown',
        state: stateNames[job.state] ?? 'unknown',
        stage: job.stage === '' ? '' : `${job.stage} ${job.step}/${job.steps}`,
        created: job.createdAt ? timestampDate(job.createdAt).toISOString() : '',
        error: job.error?.message ?? '',
      }));
      if (options.json) {
        printJson({ jobs: all });
        return;
      }
      if (all.length === 0) {
        print('There are no jobs.');
        return;
      }
      const rows = all.map(({ id, kind, state, stage, created, error }) => [
        id,
        kind,
        state,
        stage,
        minute(created),
        error,
      ]);
      print(table([['ID', 'KIND', 'STATE', 'STAGE', 'CREATED', 'ERROR'], ...rows], { figures: false }));
    });
  jobs
    .command('cancel <id>')
    .description('stop a job after the step it is in')
    .action(async (id: string, _options: object, command: Command) => {
      await using access = await accessTrainer(settingsFor(command));
      const { state } = await access.jobs.cancel(id);
      print(state === JobState.CANCELLED ? `${id} is cancelled.` : `${id} stops after the step it is in.`);
    });
  return jobs;
}
