import { cpSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createEvent } from '@crucible/bus';
import { ModelRegistry } from '@crucible/checkpoint';
import { JobState } from '@crucible/protos/trainer/v1';
import { temporaryFolder } from '@crucible/testing';
import { describe, expect, it } from 'vitest';
import { JobStore } from './job-store.ts';
import {
  corpusIn,
  eventually,
  openBus,
  pretrainSpec,
  startTrainer,
  watchUntil,
  workerPids,
} from './testing/test-trainer.ts';

const forever = 1_000_000;

describe('a job', () => {
  it('runs to its end, tells of every step on the way, and announces every version of its model', async () => {
    const home = temporaryFolder();
    const { bus, events: said } = await openBus();
    const { client } = await startTrainer(bus, home);
    const { job: submitted } = await client.submitJob({ jobId: 'first', spec: pretrainSpec(home) });
    expect(submitted).toMatchObject({ id: 'first', state: JobState.QUEUED, attempts: 0 });

    const events = await watchUntil(client, 'first');
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1));
    const states = events.flatMap(({ event }) => (event.case === 'stateChanged' ? [event.value.state] : []));
    expect(states).toEqual([JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]);
    const last = events.flatMap(({ event }) => (event.case === 'progressed' ? [event.value] : [])).at(-1)!;
    expect(last).toMatchObject({ stage: 'pretrain', step: 4, steps: 4 });
    expect(Object.keys(last.metrics)).toEqual(expect.arrayContaining(['loss', 'val_bpb', 'tokens_per_s']));

    // After the first step, and at the end.
    const versions = events.flatMap(({ event }) => (event.case === 'published' ? [event.value.model!.version] : []));
    expect(versions).toEqual([1, 2]);
    const registry = new ModelRegistry(join(home, 'models'));
    const { sha256, uri } = registry.resolve('base@2');
    await eventually(() => said.some(({ type }) => type === 'crucible.job.completed'));
    const weights = said.filter(({ type }) => type === 'crucible.weights.published').map(({ data }) => data);
    expect(weights).toEqual([
      expect.objectContaining({ model: 'base', version: 1, stage: 'pretrain', step: 1 }),
      { model: 'base', version: 2, stage: 'pretrain', step: 4, sha256, uri },
    ]);
    expect(said.find(({ type }) => type === 'crucible.job.completed')?.data).toMatchObject({
      jobId: 'first',
      kind: 'pretrain',
      outputs: { models: ['base@2'] },
      metrics: { ...last.metrics },
    });
    expect(new Set(said.map(({ id }) => id)).size).toBe(said.length);

    const { job } = await client.getJob({ jobId: 'first' });
    expect(job).toMatchObject({ state: JobState.SUCCEEDED, attempts: 1, lastSequence: events.length });
    expect(job!.outputs).toMatchObject([{ name: 'base', version: 2 }]);
    await eventually(() => workerPids().length === 0);
  });

  it('says how many rows of a file it leaves out, in its events and on the bus', async () => {
    const home = temporaryFolder();
    const { bus, events: said } = await openBus();
    const { client } = await startTrainer(bus, home);
    const rows = Array.from({ length: 20 }, (_, i) =>
      JSON.stringify({ question: `Is ${i} even?`, answer: 'Perhaps.' }),
    );
    const files = ['one.jsonl', 'two.jsonl'].map((name) => join(home, name));
    writeFileSync(files[0]!, [...rows, 'broken', '{}'].join('\n'));
    writeFileSync(files[1]!, [...rows, 'broken'].join('\n'));
    const value = {
      name: 'own',
      preset: 'smoke',
      corpusUris: [corpusIn(home)],
      instructionUris: files,
      options: { data: { skipInvalidRows: true }, pretrain: { steps: 1 }, sft: { steps: 1 }, evaluation: 1 },
    };
    await client.submitJob({ jobId: 'skipping', spec: { kind: { case: 'forge', value } } });
    const messages = (await watchUntil(client, 'skipping')).flatMap(({ event }) =>
      event.case === 'progressed' && event.value.message !== '' ? [event.value.message] : [],
    );
    expect(messages).toEqual([
      `${files[0]!}: 2 rows break the rules and were left out`,
      `${files[1]!}: 1 row breaks the rules and was left out`,
    ]);
    await eventually(() => said.some(({ type }) => type === 'crucible.job.completed'));
    const told = said.flatMap(({ data }) => (data as { message?: string }).message ?? []);
    expect(told).toEqual(messages);
  });

  it('fails with the reason when its data turns out to be wrong', async () => {
    const home = temporaryFolder();
    const { bus, events: said } = await openBus();
    const { client } = await startTrainer(bus, home);
    const spec = { kind: { case: 'pretrain' as const, value: { name: 'base', corpusUris: [home] } } };
    await client.submitJob({ jobId: 'empty', spec });
    await watchUntil(client, 'empty');
    const { job } = await client.getJob({ jobId: 'empty' });
    const message = `${home}: there is no .txt or .md file in it`;
    expect(job).toMatchObject({ state: JobState.FAILED, error: { code: 'invalid-input', message } });
    await eventually(() => said.some(({ type }) => type === 'crucible.job.failed'));
    expect(said.find(({ type }) => type === 'crucible.job.failed')?.data).toEqual({
      jobId: 'empty',
      kind: 'pretrain',
      code: 'invalid-input',
      message,
    });
  });

  it('waits for the one before it, and is cancelled at once while it waits', async () => {
    const home = temporaryFolder();
    const { bus } = await openBus();
    const { client } = await startTrainer(bus, home);
    await client.submitJob({ jobId: 'long', spec: pretrainSpec(home, forever) });
    await watchUntil(client, 'long', (event) => event.case === 'progressed' && event.value.step > 0);
    await client.submitJob({ jobId: 'next', spec: pretrainSpec(home) });
    await client.submitJob({ jobId: 'never', spec: pretrainSpec(home) });
    const { job: waiting } = await client.cancelJob({ jobId: 'never' });
    expect(waiting).toMatchObject({ state: JobState.CANCELLED, attempts: 0 });
    expect((await client.getJob({ jobId: 'next' })).job!.state).toBe(JobState.QUEUED);
    expect(workerPids()).toHaveLength(1);

    await client.cancelJob({ jobId: 'long' });
    const ended = (await watchUntil(client, 'long')).at(-1)!;
    expect(ended.event).toMatchObject({ case: 'stateChanged', value: { state: JobState.CANCELLED } });
    await watchUntil(client, 'next');
    expect((await client.getJob({ jobId: 'next' })).job!.state).toBe(JobState.SUCCEEDED);
    expect((await client.getJob({ jobId: 'never' })).job!.attempts).toBe(0);

    expect((await client.cancelJob({ jobId: 'long' })).job!.state).toBe(JobState.CANCELLED);
    await expect(client.cancelJob({ jobId: 'next' })).rejects.toMatchObject({
      code: 'failed-precondition',
      message: 'job next has succeeded already',
    });
  });

  it('goes on when its process is killed', async () => {
    const home = temporaryFolder();
    const { bus, events: said } = await openBus();
    const { client } = await startTrainer(bus, home);
    await client.submitJob({ jobId: 'hit', spec: pretrainSpec(home, forever) });
    const before = await watchUntil(client, 'hit', (event) => event.case === 'published');
    process.kill(workerPids()[0]!, 'SIGKILL');
    const { length } = before;
    const events = await watchUntil(
      client,
      'hit',
      (event) => event.case === 'published' && event.value.model!.version === 2,
    );
    const states = events.flatMap(({ event }) => (event.case === 'stateChanged' ? [event.value] : []));
    expect(states).toMatchObject([
      { state: JobState.QUEUED, attempts: 0 },
      { state: JobState.RUNNING, attempts: 1 },
      { state: JobState.RUNNING, attempts: 2 },
    ]);
    expect(events.slice(0, length)).toEqual(before);
    const started = said.filter(({ type }) => type === 'crucible.job.started').map(({ data }) => data);
    expect(started).toMatchObject([{ attempt: 1 }, { attempt: 2 }]);
  });

  it('is given up when its process has died five times', async () => {
    const home = temporaryFolder();
    const store = new JobStore(join(home, 'jobs'));
    const spec = { forge: { name: 'deadly' } };
    store.create({ id: 'deadly', kind: 'forge', spec, createdAt: new Date().toISOString() });
    for (let n = 1; n <= 5; n++) store.append('deadly', { kind: 'state', state: 'running', attempts: n });
    const { bus } = await openBus();
    await bus.publish(
      createEvent('crucible.job.submitted', { source: '/test', data: { jobId: 'deadly', kind: 'forge', spec } }),
    );
    const { client } = await startTrainer(bus, home);
    await watchUntil(client, 'deadly');
    expect((await client.getJob({ jobId: 'deadly' })).job).toMatchObject({
      state: JobState.FAILED,
      attempts: 5,
      error: { code: 'internal', message: "the job's process, or the trainer with it, ended unexpectedly 5 times" },
    });
  });

  it('is given back by a trainer that stops, and goes on at its step in the next one', async () => {
    const home = temporaryFolder();
    const busFolder = join(home, 'bus');
    const first = await openBus(busFolder);
    const { client, service } = await startTrainer(first.bus, home);
    await client.submitJob({ jobId: 'moved', spec: pretrainSpec(home, forever) });
    await watchUntil(client, 'moved', (event) => event.case === 'progressed' && event.value.step >= 50);
    await service.close(5000);
    await first.bus.close();
    const given = new JobStore(join(home, 'jobs')).get('moved');
    expect(given).toMatchObject({ state: 'queued', attempts: 1, crashes: 0 });
    expect(workerPids()).toEqual([]);

    const second = await openBus(busFolder);
    const next = await startTrainer(second.bus, home);
    const steps = (
      await watchUntil(next.client, 'moved', (event) => event.case === 'progressed' && event.value.step > given.step)
    ).flatMap(({ event, sequence }) =>
      sequence > given.lastSequence && event.case === 'progressed' ? [event.value.step] : [],
    );
    // Not from the first step again: what was done is on the disk.
    expect(steps[0]).toBeGreaterThan(50);
    expect((await next.client.getJob({ jobId: 'moved' })).job).toMatchObject({ state: JobState.RUNNING, attempts: 2 });
  });

  it('is cancelled through another trainer of the same home', async () => {
    const home = temporaryFolder();
    const { bus } = await openBus();
    const { client } = await startTrainer(bus, home);
    await client.submitJob({ jobId: 'shared', spec: pretrainSpec(home, forever) });
    await watchUntil(client, 'shared', (event) => event.case === 'progressed' && event.value.step > 0);
    const other = await startTrainer(bus, home);
    expect((await other.client.cancelJob({ jobId: 'shared' })).job!.state).toBe(JobState.CANCELLED);
    const events = await watchUntil(client, 'shared');
    expect(events.at(-1)!.event).toMatchObject({ case: 'stateChanged', value: { state: JobState.CANCELLED } });
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1));
    await eventually(() => workerPids().length === 0);
    expect((await client.getJob({ jobId: 'shared' })).job!.lastSequence).toBe(events.length);
  });

  it('announces at its end what an earlier start made and did not come to announce', async () => {
    const home = temporaryFolder();
    const { bus, events: said } = await openBus();
    const { client } = await startTrainer(bus, home);
    const value = { name: 'own', preset: 'smoke', corpusUris: [corpusIn(home)], options: { pretrain: { steps: 2 } } };
    const spec = { kind: { case: 'forge' as const, value } };
    await client.submitJob({ jobId: 'done', spec });
    await watchUntil(client, 'done');
    // The same forge, killed between its last publishing and the announcement: its folder says that A is made.
    cpSync(join(home, 'jobs', 'done', 'forge.json'), join(home, 'jobs', 'again', 'forge.json'));
    cpSync(join(home, 'jobs', 'done', 'tokenizer'), join(home, 'jobs', 'again', 'tokenizer'), { recursive: true });
    said.length = 0;
    await client.submitJob({ jobId: 'again', spec });
    await watchUntil(client, 'again');
    await eventually(() => said.some(({ type }) => type === 'crucible.job.completed'));
    const weights = said.filter(({ type }) => type === 'crucible.weights.published').map(({ data }) => data);
    expect(weights).toMatchObject([{ model: 'own-a', version: 2, stage: 'pretrain', step: 2 }]);
    expect((await client.getJob({ jobId: 'again' })).job!.outputs).toMatchObject([{ name: 'own-a', version: 2 }]);
  });
});

describe('the trainer', () => {
  it('removes what killed publishers left in the registry, and nothing that is being written', async () => {
    const home = temporaryFolder();
    const models = join(home, 'models', 'base');
    const [dead, live] = ['.000002.tmp-1-ab', '.000002.tmp-1-cd'].map((name) => join(models, name)) as [string, string];
    for (const folder of [dead, live]) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'model.safetensors'), 'half of it');
      const old = new Date(Date.now() - 2 * 3_600_000);
      for (const path of [join(folder, 'model.safetensors'), folder]) utimesSync(path, old, old);
    }
    writeFileSync(join(live, 'model.safetensors'), 'more of it');
    const { bus } = await openBus();
    await startTrainer(bus, home);
    expect(readdirSync(models)).toEqual(['.000002.tmp-1-cd']);
  });
});

describe('a job from the queue', () => {
  it('is taken as one that was submitted by a call', async () => {
    const home = temporaryFolder();
    const { bus } = await openBus();
    const { client } = await startTrainer(bus, home);
    const spec = { pretrain: { name: 'base', preset: 'smoke', corpusUris: [corpusIn(home)], options: { steps: 2 } } };
    const data = { jobId: 'queued', kind: 'pretrain', spec };
    await bus.publish(createEvent('crucible.job.submitted', { source: '/shop', data }));
    await expect.poll(() => client.getJob({ jobId: 'queued' }).catch(() => undefined)).toBeDefined();
    await watchUntil(client, 'queued');
    const { job } = await client.getJob({ jobId: 'queued' });
    expect(job).toMatchObject({ state: JobState.SUCCEEDED, outputs: [{ name: 'base', version: 2 }] });
  });

  it('goes to the dead letters when it is wrong, and the next one runs', async () => {
    const home = temporaryFolder();
    const { bus, events: said } = await openBus();
    const { client } = await startTrainer(bus, home);
    const wrong = [
      [{ jobId: '../x', kind: 'forge', spec: { forge: { name: 'x' } } }, 'job_id "../x": 1 to 64'],
      [{ jobId: 'a', kind: 'forge', spec: { forge: { name: 'x', preset: 'huge' } } }, 'preset huge does not exist'],
      [{ jobId: 'b', kind: 'distil', spec: { distil: {} } }, 'spec: it is no crucible.trainer.v1.JobSpec'],
      [{ jobId: 'c', kind: 'sft', spec: { forge: { name: 'x' } } }, 'kind is sft, spec is that of forge'],
    ] as const;
    for (const [data] of wrong) {
      await bus.publish(createEvent('crucible.job.submitted', { source: '/shop', data }));
    }
    await client.submitJob({ jobId: 'next', spec: pretrainSpec(home, forever) });
    await watchUntil(client, 'next', (event) => event.case === 'progressed');

    const letters = (await bus.deadLetters()).reverse();
    expect(letters.map(({ from, attempts, event }) => ({ from, attempts, data: event!.data }))).toEqual(
      wrong.map(([data]) => ({ from: { kind: 'queue', name: 'jobs' }, attempts: 1, data })),
    );
    for (const [i, [, reason]] of wrong.entries()) expect(letters[i]!.reason).toContain(reason);
    expect((await client.listJobs({})).jobs.map(({ id }) => id)).toEqual(['next']);
    const failed = said.flatMap(({ type, data }) => (type === 'crucible.job.failed' ? [data] : []));
    expect(failed).toMatchObject([
      { jobId: 'a', code: 'invalid-input' },
      { jobId: 'b', code: 'invalid-input' },
      { jobId: 'c', code: 'invalid-input' },
    ]);
  });
});

describe('the calls of the trainer', () => {
  it('answer a repeated submission with the job that is there, and another spec with a conflict', async () => {
    const home = temporaryFolder();
    const { bus } = await openBus();
    const { client } = await startTrainer(bus, home);
    const spec = pretrainSpec(home, forever);
    const { job: first } = await client.submitJob({ jobId: 'once', spec });
    const { job: second } = await client.submitJob({ jobId: 'once', spec });
    expect(second!.createdAt).toEqual(first!.createdAt);
    expect((await client.listJobs({})).jobs).toHaveLength(1);
    await expect(client.submitJob({ jobId: 'once', spec: pretrainSpec(home, 3) })).rejects.toMatchObject({
      code: 'conflict',
      message: 'job once exists and has another spec',
      at: 'job_id',
    });
  });

  it('refuse what is wrong before any work, and name the field', async () => {
    const { bus } = await openBus();
    const { client } = await startTrainer(bus, temporaryFolder());
    const forge = (value: object) => ({ kind: { case: 'forge' as const, value: { name: 'x', ...value } } });
    await expect(client.submitJob({ spec: forge({ preset: 'huge' }) })).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringMatching(/^preset huge does not exist; there are tiny, .*smoke$/) as string,
      at: 'preset',
    });
    await expect(client.submitJob({ jobId: 'A', spec: forge({}) })).rejects.toMatchObject({ at: 'job_id' });
    await expect(client.getJob({ jobId: 'none' })).rejects.toMatchObject({
      code: 'not-found',
      message: 'job none does not exist',
    });
    await expect(client.watchJob({ jobId: 'none' })[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(client.listJobs({ pageSize: 501 })).rejects.toMatchObject({ message: 'page_size: 501 is above 500' });
    await expect(client.listJobs({ pageToken: 'x' })).rejects.toMatchObject({
      message: 'page_token: it is not one of ours',
    });
    expect((await client.listJobs({})).jobs).toEqual([]);
  });

  it('list jobs in pages and by state, and go on with a watch after a sequence', async () => {
    const home = temporaryFolder();
    const store = new JobStore(join(home, 'jobs'));
    for (let n = 1; n <= 5; n++) {
      const id = `job-${n}`;
      store.create({ id, kind: 'forge', spec: { forge: { name: 'x' } }, createdAt: `2026-01-0${n}T00:00:00.000Z` });
      store.append(id, { kind: 'state', state: n % 2 === 0 ? 'cancelled' : 'succeeded', attempts: 1 });
    }
    const { bus } = await openBus();
    const { client } = await startTrainer(bus, home);
    const first = await client.listJobs({ pageSize: 3 });
    expect(first.jobs.map(({ id }) => id)).toEqual(['job-5', 'job-4', 'job-3']);
    const rest = await client.listJobs({ pageSize: 3, pageToken: first.nextPageToken });
    expect(rest.jobs.map(({ id }) => id)).toEqual(['job-2', 'job-1']);
    expect(rest.nextPageToken).toBe('');
    const cancelled = await client.listJobs({ states: [JobState.CANCELLED] });
    expect(cancelled.jobs.map(({ id }) => id)).toEqual(['job-4', 'job-2']);

    const events = [];
    for await (const { event } of client.watchJob({ jobId: 'job-1', afterSequence: 1 })) events.push(event!.sequence);
    expect(events).toEqual([2]);
    await expect(
      client.watchJob({ jobId: 'job-1', afterSequence: 3 })[Symbol.asyncIterator]().next(),
    ).rejects.toMatchObject({
      message: 'after_sequence: 3 is beyond the last event, 2',
    });
  });
});
