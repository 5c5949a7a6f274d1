import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@crucible/testing';
import { describe, expect, it } from 'vitest';
import { isFinal, type JobEvent } from './job.ts';
import { JobStore } from './job-store.ts';

const request = {
  id: 'one',
  kind: 'forge',
  spec: { forge: { name: 'x' } },
  createdAt: '2026-01-02T03:04:05.000Z',
} as const;

const progress = (step: number) =>
  ({ kind: 'progress', stage: 'sft', step, steps: 9, metrics: { loss: 1 / step } }) as const;

async function collect(events: AsyncIterable<JobEvent>): Promise<JobEvent[]> {
  const all: JobEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

describe('JobStore', () => {
  it('adds the events of a job up to its state', () => {
    const store = new JobStore(temporaryFolder());
    store.create(request);
    expect(store.get('one')).toMatchObject({ ...request, state: 'queued', attempts: 0, lastSequence: 1, outputs: [] });

    store.append('one', { kind: 'state', state: 'running', attempts: 1 });
    store.append('one', progress(4));
    store.append('one', { kind: 'published', model: { name: 'x-a', version: 1 } });
    store.append('one', { kind: 'published', model: { name: 'x-b', version: 7 } });
    store.append('one', { kind: 'published', model: { name: 'x-a', version: 2 } });
    expect(store.get('one')).toMatchObject({
      state: 'running',
      stage: 'sft',
      step: 4,
      steps: 9,
      metrics: { loss: 0.25 },
      outputs: [
        { name: 'x-b', version: 7 },
        { name: 'x-a', version: 2 },
      ],
      lastSequence: 6,
      finishedAt: undefined,
    });

    const error = { code: 'resource-exhausted', message: 'the disk is full' } as const;
    const ended = store.append('one', { kind: 'state', state: 'failed', attempts: 1, error });
    expect(ended).toMatchObject({ state: 'failed', error, finishedAt: expect.stringMatching(/^\d{4}-/) as string });
  });

  it('has all of it again when it is opened anew', () => {
    const root = temporaryFolder();
    const first = new JobStore(root);
    first.create(request);
    first.append('one', { kind: 'state', state: 'running', attempts: 1 });
    first.append('one', progress(3));
    expect(new JobStore(root).get('one')).toEqual(first.get('one'));
  });

  it('counts starts that came to no end, and not those that were given back', () => {
    const store = new JobStore(temporaryFolder());
    store.create(request);
    const states = ['running', 'running', 'queued', 'running', 'queued', 'running', 'running'] as const;
    for (const [i, state] of states.entries()) store.append('one', { kind: 'state', state, attempts: i });
    expect(store.get('one').crashes).toBe(2);
  });

  it('drops a line that a crash cut short, and goes on after the last whole one', () => {
    const root = temporaryFolder();
    const store = new JobStore(root);
    store.create(request);
    store.append('one', progress(1));
    const path = join(root, 'one', 'events.jsonl');
    const whole = readFileSync(path, 'utf8');
    appendFileSync(path, '{"sequence":3,"time":"2026-01-02T03:04:05.000Z","change":{"kind":"prog');

    const reopened = new JobStore(root);
    expect(reopened.get('one')).toMatchObject({ lastSequence: 2, step: 1 });
    reopened.append('one', progress(2));
    expect(readFileSync(path, 'utf8').startsWith(`${whole}{"sequence":3,`)).toBe(true);
    expect(new JobStore(root).get('one')).toMatchObject({ lastSequence: 3, step: 2 });
  });

  it('knows a job whose process died between its request and its first event', () => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'one'));
    writeFileSync(join(root, 'one', 'job.json'), JSON.stringify(request));
    const store = new JobStore(root);
    expect(store.get('one')).toMatchObject({ state: 'queued', lastSequence: 0 });
    expect(store.append('one', progress(1)).lastSequence).toBe(1);
  });

  it('names the file and line of a damaged record', () => {
    const root = temporaryFolder();
    const store = new JobStore(root);
    store.create(request);
    store.append('one', progress(1));
    const path = join(root, 'one', 'events.jsonl');
    const [first, second] = readFileSync(path, 'utf8').split('\n') as [string, string];
    writeFileSync(path, `${first}\n${second.slice(0, 20)}\n${second}\n`);
    expect(() => new JobStore(root)).toThrow(`${path}:2: the record of the job is damaged`);
  });

  it('does not look outside of its folder for a job', () => {
    const root = temporaryFolder();
    writeFileSync(join(root, 'job.json'), JSON.stringify(request));
    const store = new JobStore(join(root, 'jobs'));
    expect(store.find('..')).toBeUndefined();
    expect(() => store.get('..')).toThrow('job .. does not exist');
  });

  it('lists the newest job first', () => {
    const store = new JobStore(temporaryFolder());
    for (const [id, createdAt] of [
      ['b', '2026-01-02T00:00:00.000Z'],
      ['c', '2026-01-01T00:00:00.000Z'],
      ['a', '2026-01-02T00:00:00.000Z'],
    ] as const)
      store.create({ ...request, id, createdAt });
    expect(store.list().map(({ id }) => id)).toEqual(['b', 'a', 'c']);
  });
});

describe('JobStore.watch', () => {
  const isOver = ({ state }: { readonly state: Parameters<typeof isFinal>[0] }): boolean => isFinal(state);
  const never = new AbortController().signal;

  it('gives the events after a sequence, then those to come, to the last', async () => {
    const store = new JobStore(temporaryFolder());
    store.create(request);
    store.append('one', progress(1));
    const watched = collect(store.watch('one', 1, isOver, never));
    await new Promise((resolve) => setTimeout(resolve, 20));
    store.append('one', progress(2));
    store.append('one', { kind: 'state', state: 'succeeded', attempts: 1 });
    expect((await watched).map(({ sequence, change }) => [sequence, change.kind])).toEqual([
      [2, 'progress'],
      [3, 'progress'],
      [4, 'state'],
    ]);
  });

  it('ends with the signal', async () => {
    const store = new JobStore(temporaryFolder());
    store.create(request);
    const leave = new AbortController();
    const watched = collect(store.watch('one', 0, isOver, leave.signal));
    leave.abort(new Error('nobody looks any more'));
    await expect(watched).rejects.toThrow('nobody looks any more');
  });

  it('sees what another trainer writes into the same folder', async () => {
    const root = temporaryFolder();
    const [here, there] = [new JobStore(root), new JobStore(root)];
    here.create(request);
    const watched = collect(there.watch('one', 0, isOver, never));
    here.append('one', { kind: 'state', state: 'running', attempts: 1 });
    // Both write, one after the other: the sequence has no gaps.
    there.append('one', { kind: 'state', state: 'cancelled', attempts: 1 });
    expect(here.get('one')).toMatchObject({ state: 'cancelled', lastSequence: 3 });
    expect((await watched).map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(new JobStore(root).get('one')).toEqual(here.get('one'));
  });
});
