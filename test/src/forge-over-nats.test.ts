/**
 * The whole system as a cluster runs it: a forge over NATS, services that die in the middle of it, and the model that
 * comes out, over HTTP.
 */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ModelRegistry } from '@crucible/checkpoint';
import { type JobEvent, JobState } from '@crucible/protos/trainer/v1';
import { requireNatsServer } from '@crucible/testing';
import { ask, askStreaming, health } from './testing/chat.ts';
import { startSystem, type System } from './testing/system.ts';

const wait = { timeout: 60_000, interval: 100 };

/** The smoke preset with less to measure. */
const spec = {
  kind: {
    case: 'forge' as const,
    value: { name: 'chat', preset: 'smoke', seed: 5, options: { evaluation: 2, reward: { validateEvery: 0 } } },
  },
};

/** The job's events up to the first that is as wanted; to its end without one. */
async function follow(
  { trainer }: System,
  isIt: (event: JobEvent['event']) => boolean = () => false,
): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  for await (const { event } of trainer.watchJob({ jobId: 'forge' })) {
    events.push(event!);
    if (isIt(event!.event)) break;
  }
  return events;
}

function publishedIn(events: readonly JobEvent[]): string[] {
  return events.flatMap(({ event }) =>
    event.case === 'published' ? [`${event.value.model!.name}@${event.value.model!.version}`] : [],
  );
}

requireNatsServer('a forge over NATS', () => {
  it(
    'survives the death of trainer, policy and gateway, and chats with what it made',
    { timeout: 300_000 },
    async () => {
      const system = await startSystem();
      const { url, policy, reward, trainer, home } = system;

      // Nothing to talk to yet: a clear answer.
      expect(await health(url)).toMatchObject({ status: 503, body: { status: 'starting' } });
      expect(await ask(url, 'crucible', 'Hello?')).toMatchObject({
        status: 503,
        text: 'no model is loaded yet: the first is still being made, or could not be read, of which the log tells',
      });

      await trainer.submitJob({ jobId: 'forge', spec });
      const before = await follow(
        system,
        (event) => event.case === 'published' && event.value.model!.name === 'chat-b',
      );
      await system.kill('trainer');

      // What exists so far answers, and the others do not mind that the trainer is gone.
      await expect
        .poll(() => health(url), wait)
        .toMatchObject({ status: 200, body: { status: 'ok', model: 'chat-b' } });
      expect(await ask(url, 'chat-a', 'What is 2 + 3?')).toMatchObject({ status: 200, model: 'chat-a' });

      await system.kill('policy');
      expect(await health(url)).toMatchObject({ status: 503, body: { status: 'unavailable' } });
      await system.restart('policy');
      await expect.poll(() => health(url), wait).toMatchObject({ status: 200 });
      expect(await ask(url, 'chat-b', 'What is 2 + 3?')).toMatchObject({ status: 200, model: 'chat-b' });

      await system.kill('gateway');
      expect((await policy.getModelInfo({})).models.map(({ name }) => name)).toEqual(['chat-a', 'chat-b']);
      await system.restart('gateway');
      expect(await ask(url, 'chat-b', 'What is 2 + 3?')).toMatchObject({ status: 200, model: 'chat-b' });

      await system.restart('trainer');
      const events = await follow(system);
      const { job } = await trainer.getJob({ jobId: 'forge' });
      expect(job).toMatchObject({ state: JobState.SUCCEEDED, attempts: 2, stage: 'report' });
      const states = events.flatMap(({ event }) => (event.case === 'stateChanged' ? [event.value.state] : []));
      expect(states).toEqual([JobState.QUEUED, JobState.RUNNING, JobState.RUNNING, JobState.SUCCEEDED]);

      // Nothing of what was there before the death is gone, and A was not made again.
      expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1));
      expect(events.slice(0, before.length)).toEqual(before);
      expect(publishedIn(before)).toEqual(['chat-a@1', 'chat-a@2', 'chat-b@1']);
      const registry = new ModelRegistry(join(home, 'models'));
      const newest = registry.list().map(({ name, version, finished }) => ({ name, version, finished }));
      expect(newest.map(({ name, finished }) => [name, finished])).toEqual(
        ['chat-a', 'chat-b', 'chat-c', 'chat-d'].map((name) => [name, true]),
      );
      expect(newest[0]!.version).toBe(2);

      // Policy and reward serve the last weights of each, without a restart.
      const versions = newest.map(({ name, version }) => ({ name, version }));
      const served = async ({ getModelInfo }: Pick<System['policy'] | System['reward'], 'getModelInfo'>) =>
        (await getModelInfo({})).models.map(({ name, version }) => ({ name, version }));
      await expect.poll(() => served(policy), wait).toEqual([versions[0], versions[1], versions[3]]);
      await expect.poll(() => served(reward), wait).toEqual([versions[2]]);

      await expectConsistentEvents(system, events, versions);

      const whole = await ask(url, 'crucible', 'What is 2 + 3?');
      expect(whole).toMatchObject({
        status: 200,
        model: 'chat-d',
        finish: expect.stringMatching(/^(stop|length)$/) as string,
      });
      const streamed = await askStreaming(url, 'crucible', 'What is 2 + 3?');
      // Greedy: the same words, in pieces.
      expect(streamed).toMatchObject({ status: 200, model: 'chat-d', text: whole.text, finish: whole.finish });
      expect(streamed.pieces).toBeGreaterThan(1);

      expect(await system.stop()).toEqual({ policy: 0, reward: 0, trainer: 0, gateway: 0 });
    },
  );
});

/** What the bus said is what the trainer's record says: every event once, none lost, in its order. */
async function expectConsistentEvents(
  { events: said }: System,
  recorded: readonly JobEvent[],
  newest: readonly { readonly name: string; readonly version: number }[],
): Promise<void> {
  await expect.poll(() => said.map(({ type }) => type), wait).toContain('crucible.job.completed');
  const ids = said.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);

  const weights = said.flatMap(({ type, data }) => (type === 'crucible.weights.published' ? [data] : []));
  for (const { name, version } of newest) {
    const versions = weights.filter(({ model }) => model === name).map((weight) => weight.version);
    expect(versions, `the versions of ${name}`).toEqual(Array.from({ length: version }, (_, i) => i + 1));
  }
  expect(weights.map(({ model, version }) => `${model}@${version}`)).toEqual(publishedIn(recorded));

  const kinds = said.map(({ type }) => type).filter((type) => type.startsWith('crucible.job.'));
  const count = (kind: string): number => kinds.filter((type) => type === `crucible.job.${kind}`).length;
  const progressed = recorded.filter(({ event }) => event.case === 'progressed').length;
  expect([count('submitted'), count('started'), count('completed'), count('failed')]).toEqual([1, 2, 1, 0]);
  expect(kinds.at(-1)).toBe('crucible.job.completed');
  // The one that the trainer died at may be in its record and not on the bus.
  expect(progressed - count('progress')).toBeOneOf([0, 1]);
}
