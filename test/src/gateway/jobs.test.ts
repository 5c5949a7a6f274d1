/** Training jobs over HTTP, before a real trainer. */
import { join } from 'node:path';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Bus, createBus } from '@crucible/bus';
import { createGatewayService } from '@crucible/gateway';
import { TrainerService } from '@crucible/protos/trainer/v1';
import { createClient } from '@crucible/rpc';
import { createLogger, type Service } from '@crucible/service';
import { createTrainerService } from '@crucible/trainer';

const common = { log: createLogger('test', 'silent'), host: '127.0.0.1', port: 0 };
let home: string;
let bus: Bus;
let trainer: Service;
let gateway: Service;

interface Point {
  readonly sequence: number;
  readonly stage: string;
  readonly step: number;
  readonly metrics: Readonly<Record<string, number>>;
}

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'crucible-jobs-'));
  bus = await createBus('embedded:');
  trainer = await createTrainerService({ ...common, bus, home });
  const nowhere = '127.0.0.1:1';
  gateway = await createGatewayService({
    ...common,
    policyTarget: nowhere,
    retrieverTarget: nowhere,
    sandboxTarget: nowhere,
    trainerTarget: trainer.target,
    actorTarget: nowhere,
  });
  const corpus = join(home, 'corpus.txt');
  writeFileSync(corpus, Array.from({ length: 200 }, (_, i) => `Line ${i} says ${i * 7}.\n`).join(''));
  const client = createClient(TrainerService, trainer.target, { deadlineMs: 30_000 });
  const value = { name: 'base', preset: 'smoke', seed: 1, corpusUris: [corpus], options: { steps: 20 } };
  await client.submitJob({ jobId: 'first', spec: { kind: { case: 'pretrain', value } } });
  client.close();
}, 60_000);

afterAll(async () => {
  await gateway.close(0);
  await trainer.close(1000);
  await bus.close();
  rmSync(home, { recursive: true, force: true });
});

async function get(path: string): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const response = await fetch(`http://${gateway.target}/v1/jobs${path}`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** What a stream carries, to its end. */
async function streamed(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ ids: number[]; data: unknown[] }> {
  const response = await fetch(`http://${gateway.target}/v1/jobs${path}`, { headers });
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  const events = (await response.text()).split('\n\n').filter((event) => event.includes('data: '));
  expect(events.pop()).toBe('data: [DONE]');
  const ids = events.map((event) => Number(/^id: (\d+)$/m.exec(event)![1]));
  return { ids, data: events.map((event) => JSON.parse(/^data: (.*)$/m.exec(event)![1]!) as unknown) };
}

function omit(value: object, name: string): object {
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== name));
}

test('a job is followed while it runs, and its curves are there for who comes late', { timeout: 60_000 }, async () => {
  const live = await streamed('/first/events');
  expect(live.ids).toEqual(live.ids.map((_, i) => i + 1));
  expect(live.data[0]).toMatchObject({ type: 'state', sequence: 1, state: 'queued', error: null });
  expect(live.data.at(-1)).toMatchObject({ type: 'state', state: 'succeeded' });
  expect(live.data).toContainEqual(expect.objectContaining({ type: 'published', model: { name: 'base', version: 1 } }));

  const { body: job } = await get('/first');
  expect(job).toMatchObject({
    id: 'first',
    object: 'job',
    kind: 'pretrain',
    name: 'base',
    state: 'succeeded',
    step: 20,
    steps: 20,
    progress: 1,
    report: null,
    error: null,
    last_event: live.ids.at(-1),
    spec: { pretrain: { name: 'base', preset: 'smoke' } },
  });
  expect(job['models']).toContainEqual({ name: 'base', version: expect.any(Number) as number });
  expect(await get('')).toEqual({ status: 200, body: { object: 'list', data: [job], after: null } });

  const { body } = await get('/first/metrics');
  const points = body['data'] as Point[];
  expect(body).toMatchObject({ job: 'first', state: 'succeeded', after: live.ids.at(-1), has_more: false });
  expect(points).toEqual(
    live.data
      .filter((event) => (event as { type: string }).type === 'progress')
      .map((event) => omit(event as object, 'type')),
  );
  const curve = points.filter(({ stage, metrics }) => stage === 'pretrain' && metrics['loss'] !== undefined);
  expect(curve.length).toBeGreaterThan(1);
  expect(curve.map(({ step }) => step)).toEqual(curve.map(({ step }) => step).toSorted((a, b) => a - b));

  // Who has some of it asks for the rest.
  const middle = points[0]!.sequence;
  expect((await get(`/first/metrics?after=${middle}`)).body['data']).toEqual(points.slice(1));
  expect((await get(`/first/metrics?after=${live.ids.at(-1)}`)).body).toMatchObject({ data: [], has_more: false });
  expect(await streamed(`/first/events?after=${middle}`)).toEqual({
    ids: live.ids.slice(middle),
    data: live.data.slice(middle),
  });
  // As browsers do it when they connect again.
  expect((await streamed('/first/events', { 'last-event-id': String(middle) })).ids).toEqual(live.ids.slice(middle));
});

test.each([
  ['/none', 404, 'job none does not exist', 'job_id'],
  ['/none/metrics', 404, 'job none does not exist', 'job_id'],
  ['/none/events', 404, 'job none does not exist', 'job_id'],
  ['/first/metrics?after=-1', 400, 'after: "-1" is given; the number of an event, or 0, is allowed', 'after'],
  ['/first/events?after=x', 400, 'after: "x" is given; the number of an event, or 0, is allowed', 'after'],
  ['/first/events?after=99999', 400, /^after: 99999 is beyond the last event, \d+$/, 'after'],
  ['?limit=x', 400, 'limit: "x" is given; a whole number from 1 to 500 is allowed', 'limit'],
  ['?limit=501', 400, 'limit: "501" is given; a whole number from 1 to 500 is allowed', 'limit'],
  ['?after=x', 400, 'page_token: it is not one of ours', 'page_token'],
])('%s is refused by name', async (path, status, message, param) => {
  const { body, ...answer } = await get(path);
  expect(answer.status).toBe(status);
  expect(body['error']).toMatchObject({
    message: typeof message === 'string' ? message : (expect.stringMatching(message) as string),
    param,
  });
});

test('a job that is over cannot be cancelled', async () => {
  const response = await fetch(`http://${gateway.target}/v1/jobs/first/cancel`, { method: 'POST' });
  expect(response.status).toBe(409);
  expect(await response.json()).toMatchObject({ error: { code: 'conflict' } });
});
