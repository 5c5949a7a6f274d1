/** Strategies over HTTP: a real gateway, actor, retriever, policy and sandbox; the acting model is scripted. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createActorService, parseActorConfig } from '@crucible/actor-service';
import { createGatewayService, type GatewayDependencies } from '@crucible/gateway';
import type { Step } from '@crucible/prompting';
import { connectMcpServer } from '@crucible/tools';
import { createRetrieverService } from '@crucible/retriever';
import { createSandboxService } from '@crucible/sandbox-service';
import { ApiKeys, createLogger, type Service } from '@crucible/service';
import { startTinyPolicy, type TinyPolicy } from '../testing/tiny-policy.ts';
import { type Bus, createBus } from '@crucible/bus';

const log = createLogger('test', 'silent');
const home = mkdtempSync(join(tmpdir(), 'crucible-runs-'));
const cache = fileURLToPath(new URL('../../../node_modules/.cache/crucible-sandbox', import.meta.url));
const common = { log, host: '127.0.0.1', port: 0 };
const timeout = 60_000;

let bus: Bus;
let policy: TinyPolicy;
let retriever: Service;
let sandbox: Service;
let actor: Service;
let gateway: Service;
let oracle: Server;

interface Message {
  readonly role: string;
  readonly content: string;
}

/** What the scripted model writes, by what it was asked; undefined: nothing comes. */
function script(messages: readonly Message[]): string | undefined {
  const question = messages.findLast(({ content }) => /born|multiply|wait/i.test(content))?.content ?? '';
  const turn = messages.filter(({ role }) => role === 'assistant').length;
  if (/wait/i.test(question)) return undefined;
  if (/multiply/i.test(question))
    return ['Thought 1: let me.\nAction 1: Python[print(6 * 7)]', 'Thought 2: so.\nAction 2: Finish[done]'][turn];
  return [
    'Thought 1: first her.\nAction 1: Search[Dorka Porstrand]',
    'Thought 2: then him.\nAction 2: Search[Monka Kalidas]',
    'Thought 3: there.\nAction 3: Finish[Teladal]',
  ][turn];
}

async function startOracle(): Promise<string> {
  oracle = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const content = script((JSON.parse(text) as { messages: Message[] }).messages);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (content === undefined) return void response.write(': wait\n\n');
      for (const choice of [{ delta: { content } }, { delta: {}, finish_reason: 'stop' }])
        response.write(`data: ${JSON.stringify({ choices: [choice] })}\n\n`);
      const usage = { prompt_tokens: 10, completion_tokens: 5 };
      response.end(`data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`);
    });
  });
  await new Promise<void>((resolve) => oracle.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(oracle.address() as AddressInfo).port}/v1`;
}

function startGateway(options: Partial<GatewayDependencies> = {}): Promise<Service> {
  return createGatewayService({
    ...common,
    policyTarget: policy.target,
    retrieverTarget: retriever.target,
    sandboxTarget: sandbox.target,
    trainerTarget: '127.0.0.1:1',
    actorTarget: actor.target,
    ...options,
  });
}

beforeAll(async () => {
  bus = await createBus('embedded:');
  policy = await startTinyPolicy(log);
  retriever = await createRetrieverService({ ...common, bus, home, store: join(home, 'knowledge') });
  sandbox = await createSandboxService({ ...common, bus: undefined, cache, concurrency: 1, queue: 4 });
  const url = await startOracle();
  actor = await createActorService({
    ...common,
    bus,
    home,
    config: parseActorConfig(
      JSON.stringify({
        models: { oracle: { url, wording: 'general', nativeTools: false } },
        approval: ['python'],
      }),
      'test',
      {},
    ),
    policyTarget: policy.target,
    retrieverTarget: retriever.target,
    sandboxTarget: sandbox.target,
  });
  gateway = await startGateway();
  for (const [name, text] of [
    ['dorka.md', '# Dorka Porstrand\n\nShe was born in 1709. Her teacher is Monka Kalidas.'],
    ['monka.md', '# Monka Kalidas\n\nMonka Kalidas is a printer. His birthplace is Teladal.'],
  ] as const)
    await fetch(`http://${gateway.target}/v1/knowledge/people/sources/${name}`, { method: 'PUT', body: text });
}, 180_000);

afterAll(async () => {
  await gateway.close(0);
  await actor.close(1000);
  await retriever.close(1000);
  await sandbox.close(1000);
  await policy.close();
  await bus.close();
  oracle.closeAllConnections();
  oracle.close();
  rmSync(home, { recursive: true, force: true });
});

function clientOf(target = gateway.target, apiKey = 'none'): OpenAI {
  return new OpenAI({ apiKey, baseURL: `http://${target}/v1`, maxRetries: 0 });
}

const hops = {
  model: 'oracle/react',
  messages: [{ role: 'user' as const, content: 'Where was the teacher of Dorka Porstrand born?' }],
  crucible: { collection: 'people' },
};
const acting = {
  model: 'oracle',
  messages: [{ role: 'user' as const, content: 'Multiply 6 by 7.' }],
  crucible: { strategy: 'react', tools: ['python'] },
};
const waiting = { model: 'oracle/direct', messages: [{ role: 'user' as const, content: 'Wait.' }] };

interface Approval {
  readonly id: string;
  readonly tool: string;
  readonly input: object;
}

interface Extension {
  readonly run_id: string;
  readonly step?: Step;
  readonly approval?: Approval;
}

type Chunk = OpenAI.ChatCompletionChunk & {
  readonly crucible?: Extension;
  readonly error?: { readonly message: string };
};

function post(
  body: object,
  { target = gateway.target, key = '', signal }: { target?: string; key?: string; signal?: AbortSignal } = {},
): Promise<Response> {
  return fetch(`http://${target}/v1/chat/completions`, {
    method: 'POST',
    headers: key === '' ? {} : { authorization: `Bearer ${key}` },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
}

/** What server-sent events carry, `[DONE]` left out. */
async function* eventsOf<T>(response: Response): AsyncGenerator<T, void, undefined> {
  const decoder = new TextDecoder();
  let begun = '';
  for await (const bytes of response.body as ReadableStream<Uint8Array>) {
    const events = (begun + decoder.decode(bytes, { stream: true })).split('\n\n');
    begun = events.pop()!;
    for (const event of events) {
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (data !== undefined && data !== '[DONE]') yield JSON.parse(data) as T;
    }
  }
}

interface Whole {
  readonly choices: readonly [
    {
      readonly message: {
        readonly content: string;
        readonly crucible: { readonly run_id: string; readonly outcome: object; readonly steps: readonly Step[] };
      };
    },
  ];
  readonly usage: object;
}

/** A run, or a list of them, or an error. */
interface RunAnswer {
  readonly status: number;
  readonly id: string;
  readonly steps: readonly Step[];
  readonly last_step: number;
  readonly data: readonly { readonly id: string }[];
  readonly after: string | null;
}

async function call(
  method: string,
  path: string,
  body?: object,
  target = gateway.target,
  key = '',
): Promise<RunAnswer> {
  const response = await fetch(`http://${target}/v1/runs${path}`, {
    method,
    headers: key === '' ? {} : { authorization: `Bearer ${key}` },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, ...((await response.json()) as Omit<RunAnswer, 'status'>) };
}

describe('a strategy as a model', () => {
  test('is listed beside the models, and found by its name', async () => {
    const ids = (await clientOf().models.list()).data.map(({ id }) => id);
    expect(ids.slice(0, 2)).toEqual(['crucible', 'chat']);
    for (const id of ['crucible/direct', 'crucible/rag', 'crucible/react', 'crucible/self-consistency', 'oracle/react'])
      expect(ids).toContain(id);
    await expect(clientOf().models.retrieve('crucible/react')).resolves.toMatchObject({ id: 'crucible/react' });
    expect((await fetch(`http://${gateway.target}/v1/models/chat/pal`)).status).toBe(200);
    expect((await fetch(`http://${gateway.target}/v1/models/chat/none`)).status).toBe(404);
  });

  test('answers an unchanged client of OpenAI, whole and streamed', { timeout }, async () => {
    const asked = {
      model: 'chat/direct',
      messages: [{ role: 'user' as const, content: 'is the iron hot?' }],
      max_tokens: 12,
    };
    const whole = await clientOf().chat.completions.create(asked);
    const { content } = whole.choices[0]!.message;
    expect(content).not.toBe('');
    expect(whole).toMatchObject({ object: 'chat.completion', model: 'chat', choices: [{ finish_reason: 'stop' }] });
    expect(whole.usage!.completion_tokens).toBeGreaterThan(0);
    const pieces: string[] = [];
    const finishes: string[] = [];
    let traced = 0;
    let usage: object | undefined;
    for await (const chunk of await clientOf().chat.completions.create({
      ...asked,
      stream: true,
      stream_options: { include_usage: true },
    })) {
      const [choice] = chunk.choices;
      if ('crucible' in chunk) traced++;
      if (choice?.delta.content) pieces.push(choice.delta.content);
      if (choice?.finish_reason) finishes.push(choice.finish_reason);
      usage = chunk.usage ?? usage;
    }
    expect(pieces.join('')).toBe(content);
    // As it is written, not in the end.
    expect(pieces.length).toBeGreaterThan(1);
    expect(traced).toBeGreaterThan(2);
    expect(finishes).toEqual(['stop']);
    expect(usage).toEqual(whole.usage);
  });

  test('answers with its trace: every step, and the passages that it rests on', { timeout }, async () => {
    const response = await post({ ...hops, crucible: { ...hops.crucible, run_id: 'hops' } });
    expect(response.status).toBe(200);
    const whole = (await response.json()) as Whole;
    const { content, crucible } = whole.choices[0].message;
    expect(content).toBe('Teladal');
    expect(crucible).toMatchObject({
      run_id: 'hops',
      outcome: { status: 'answered', text: 'Teladal', reason: 'finished' },
    });
    const kinds = crucible.steps.map(({ kind }) => kind);
    expect(kinds.filter((kind) => ['action', 'observation', 'answer', 'end'].includes(kind))).toEqual([
      'action',
      'observation',
      'action',
      'observation',
      'action',
      'answer',
      'end',
    ]);
    expect(crucible.steps.find((step) => step.kind === 'observation' && step.step === 2)).toMatchObject({
      text: expect.stringContaining('Teladal') as string,
    });
    expect(whole.usage).toEqual({ prompt_tokens: 30, completion_tokens: 15, total_tokens: 45 });

    const chunks: Chunk[] = [];
    for await (const chunk of eventsOf<Chunk>(await post({ ...hops, stream: true }))) chunks.push(chunk);
    const steps = chunks.flatMap((chunk) => chunk.crucible?.step ?? []);
    expect(steps.map(({ number }) => number)).toEqual(steps.map((_, i) => i + 1));
    const withoutTexts = steps.filter(({ kind }) => kind !== 'text').map(({ kind }) => kind);
    expect(withoutTexts).toEqual(kinds);
    expect(chunks.filter((chunk) => chunk.crucible).every(({ choices }) => choices.length === 0)).toBe(true);
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('Teladal');
  });

  test('leaves the trace out where it is not wanted', { timeout }, async () => {
    const crucible = { ...hops.crucible, trace: false };
    const whole = (await (await post({ ...hops, crucible })).json()) as Whole;
    expect(Object.keys(whole.choices[0].message.crucible)).toEqual(['run_id', 'outcome']);
    for await (const chunk of eventsOf<Chunk>(await post({ ...hops, crucible, stream: true })))
      expect(chunk.crucible).toBeUndefined();
  });

  test('ends with what it has when it meets a limit', { timeout }, async () => {
    const whole = (await (
      await post({ ...hops, crucible: { ...hops.crucible, limits: { steps: 2 } } })
    ).json()) as Whole;
    expect(whole.choices[0]).toMatchObject({
      finish_reason: 'length',
      message: { content: '', crucible: { outcome: { status: 'none', partial: true, reason: 'steps' } } },
    });
  });

  test.each<[string, object, number, string, RegExp]>([
    [
      'no strategy',
      { crucible: { collection: 'people' } },
      400,
      'crucible.strategy',
      /^crucible\.strategy: it is missing; one of direct, /,
    ],
    [
      'an unknown one',
      { crucible: { strategy: 'magic' } },
      400,
      'crucible.strategy',
      /^crucible\.strategy: "magic" is given; one of direct, /,
    ],
    [
      'two',
      { model: 'chat/rag', crucible: { strategy: 'pal' } },
      400,
      'crucible.strategy',
      /^crucible\.strategy: pal is given, and the model names rag$/,
    ],
    [
      'an unknown field',
      { crucible: { strategy: 'rag', top: 3 } },
      400,
      'crucible.top',
      /^crucible\.top: this field is not known/,
    ],
    [
      'a choice without choices',
      { crucible: { strategy: 'direct', answer: { kind: 'choice' } } },
      400,
      'crucible.answer.choices',
      /they are needed/,
    ],
    [
      'stop strings',
      { model: 'chat/direct', stop: ['x'] },
      400,
      'stop',
      /^stop: this field is not supported together with a strategy$/,
    ],
    ['several answers', { model: 'chat/direct', n: 2 }, 400, 'n', /^n: this field is not supported together/],
    [
      'nothing to search',
      { model: 'chat/rag' },
      400,
      'crucible.collection',
      /rag searches a collection, and none is named/,
    ],
    [
      'a collection that does not exist',
      { model: 'chat/rag', crucible: { collection: 'none' } },
      404,
      'crucible.collection',
      /none/,
    ],
    ['no examples', { model: 'chat/few-shot' }, 400, 'crucible.examples', /example/],
    ['an unknown tool', { model: 'oracle/react', crucible: { tools: ['none'] } }, 400, 'crucible.tools', /none/],
    [
      'an unknown model',
      { model: 'none/direct' },
      404,
      'model',
      /there is no "none"; there are oracle, crucible, chat$/,
    ],
    [
      'an answer in the place of a question',
      { model: 'chat/direct', messages: [{ role: 'assistant', content: 'x' }] },
      400,
      'messages[0].role',
      /a strategy answers a last message of the role user$/,
    ],
    [
      'a name that is none',
      { crucible: { strategy: 'direct', run_id: '../x' } },
      400,
      'crucible.run_id',
      /1 to 47 of the characters/,
    ],
  ])('refuses %s by name', async (_what, body, status, param, message) => {
    for (const stream of [false, true]) {
      const response = await post({ model: 'chat', messages: hops.messages, stream, ...body });
      const { error } = (await response.json()) as { error: Record<string, string> };
      expect({ status: response.status, param: error['param'], message: error['message'] }).toEqual({
        status,
        param,
        message: expect.stringMatching(message) as string,
      });
    }
  });
});

describe('/v1/runs', () => {
  test('has what was, newest first, with its steps; and its events again from any of them', { timeout }, async () => {
    await post({ ...hops, crucible: { ...hops.crucible, run_id: 'again' } });
    const list = await call('GET', '?limit=1');
    expect(list).toMatchObject({ object: 'list', data: [{ id: 'again', object: 'run', state: 'ended' }] });
    expect(list.data).toMatchObject([{ strategy: 'react', model: 'oracle', collection: 'people' }]);
    expect(typeof list.after).toBe('string');
    expect((await call('GET', `?limit=1&after=${list.after}`)).data).toHaveLength(1);
    const run = await call('GET', '/again');
    expect(run).toMatchObject({
      id: 'again',
      state: 'ended',
      strategy: 'react',
      model: 'oracle',
      collection: 'people',
      question: hops.messages[0]!.content,
      outcome: { text: 'Teladal', reason: 'finished' },
      usage: { calls: 3, total_tokens: expect.any(Number) as number },
      approvals: [],
      error: null,
    });
    expect(run.steps.at(-1)).toMatchObject({ kind: 'end', number: run.last_step });
    const half = run.steps[5]!.number;
    const events: Extension[] = [];
    const response = await fetch(`http://${gateway.target}/v1/runs/again/events?after=${half}`);
    for await (const event of eventsOf<Extension>(response)) events.push(event);
    expect(events.map(({ step }) => step)).toEqual(run.steps.slice(6));
    for (const path of ['/none', '/none/events', '/none/pictures/0', '/again/pictures/0', '/again/pictures/..%2fruns'])
      expect(await call('GET', path)).toMatchObject({ status: 404, error: { code: 'not_found' } });
    expect(await call('POST', '/again/cancel')).toMatchObject({ status: 409 });
  });

  test('is followed by others while it runs, and cancelled by name', { timeout }, async () => {
    const streamed = post({ ...waiting, stream: true, crucible: { run_id: 'watched' } });
    await vi.waitFor(async () => expect(await call('GET', '/watched')).toMatchObject({ state: 'running' }), timeout);
    const watched = await fetch(`http://${gateway.target}/v1/runs/watched/events`);
    expect(await call('POST', '/watched/cancel')).toMatchObject({ status: 200, cancelling: true });
    const kinds: (string | undefined)[] = [];
    for await (const { step } of eventsOf<Extension>(watched)) kinds.push(step?.kind);
    expect(kinds.at(-1)).toBe('end');
    const chunks: Chunk[] = [];
    for await (const chunk of eventsOf<Chunk>(await streamed)) chunks.push(chunk);
    expect(chunks.at(-1)!.error).toMatchObject({ message: 'the run was cancelled' });
    expect(await call('GET', '/watched')).toMatchObject({ state: 'ended', outcome: { reason: 'cancelled' } });
  });

  test('ends when its caller leaves, streamed or not', { timeout }, async () => {
    for (const stream of [true, false]) {
      const run_id = `left-${stream}`;
      const controller = new AbortController();
      const asked = post({ ...waiting, stream, crucible: { run_id } }, { signal: controller.signal });
      asked.catch(() => undefined);
      await vi.waitFor(
        async () => expect(await call('GET', `/${run_id}`)).toMatchObject({ state: 'running' }),
        timeout,
      );
      controller.abort();
      await vi.waitFor(
        async () =>
          expect(await call('GET', `/${run_id}`)).toMatchObject({ state: 'ended', outcome: { reason: 'cancelled' } }),
        timeout,
      );
    }
  });
});

describe('an approval', () => {
  async function askedFor(
    body: object,
    target = gateway.target,
  ): Promise<{ id: string; approval: Approval; rest: Promise<Chunk[]> }> {
    const events = eventsOf<Chunk>(await post({ ...body, stream: true }, { target }));
    for (;;) {
      const { value } = await events.next();
      const { approval, run_id: id = '' } = value?.crucible ?? {};
      if (!approval) continue;
      const rest = (async () => {
        const chunks: Chunk[] = [];
        for await (const chunk of events) chunks.push(chunk);
        return chunks;
      })();
      return { id, approval, rest };
    }
  }

  const observations = (chunks: readonly Chunk[]): string[] =>
    chunks.flatMap(({ crucible }) => (crucible?.step?.kind === 'observation' ? [crucible.step.text] : []));

  test('that is given lets the tool run, once', { timeout }, async () => {
    const { id, approval, rest } = await askedFor(acting);
    expect(approval).toMatchObject({ tool: 'python', input: expect.any(Object) as object });
    expect(await call('GET', `/${id}`)).toMatchObject({ state: 'waiting', approvals: [{ id: approval.id }] });
    expect(await call('POST', `/${id}/approvals/none`, { approved: true })).toMatchObject({ status: 404 });
    expect(await call('POST', `/${id}/approvals/${approval.id}`, { approved: 'yes' })).toMatchObject({
      status: 400,
      error: { param: 'approved' },
    });
    expect(await call('POST', `/${id}/approvals/${approval.id}`, { approved: true })).toMatchObject({
      status: 200,
      approved: true,
    });
    expect(observations(await rest)).toEqual([expect.stringContaining('42')]);
    expect(await call('POST', `/${id}/approvals/${approval.id}`, { approved: true })).toMatchObject({ status: 404 });
  });

  test('that is refused does not, and the model is told why', { timeout }, async () => {
    const { id, approval, rest } = await askedFor(acting);
    await call('POST', `/${id}/approvals/${approval.id}`, { approved: false, reason: 'not today' });
    const [seen] = observations(await rest);
    expect(seen).toContain('not today');
    expect(seen).not.toContain('42');
  });

  test('is refused for who waits for the whole answer', { timeout }, async () => {
    const whole = (await (await post(acting)).json()) as Whole;
    const { steps } = whole.choices[0].message.crucible;
    const seen = steps.find(({ kind }) => kind === 'observation');
    expect(seen).toMatchObject({
      failed: true,
      text: expect.stringContaining('nobody is there to allow it') as string,
    });
  });

  test('is still waited for after a restart of the gateway', { timeout }, async () => {
    const first = await startGateway();
    const { id, approval } = await askedFor(acting, first.target);
    const watched = await fetch(`http://${first.target}/v1/runs/${id}/events`);
    // However long others may take: who watches, and who waits for people, is not waited for.
    await first.close(10 * timeout);
    expect(await watched.text()).toContain('the gateway is shutting down; follow again from the last event');
    const second = await startGateway();
    onTestFinished(() => second.close(0));
    await vi.waitFor(async () =>
      expect(await call('GET', `/${id}`, undefined, second.target)).toMatchObject({
        state: expect.stringMatching(/waiting|interrupted/) as string,
        approvals: [{ id: approval.id }],
      }),
    );
    expect(await call('POST', `/${id}/approvals/${approval.id}`, { approved: true }, second.target)).toMatchObject({
      status: 200,
    });
    const texts: string[] = [];
    const followed = await fetch(`http://${second.target}/v1/runs/${id}/events`);
    for await (const { step } of eventsOf<Extension>(followed)) if (step?.kind === 'observation') texts.push(step.text);
    expect(texts).toEqual([expect.stringContaining('42')]);
    expect(await call('GET', `/${id}`, undefined, second.target)).toMatchObject({
      state: 'ended',
      outcome: { text: 'done' },
    });
  });
});

test('our tools are there for MCP clients, with a key where there are keys', { timeout }, async () => {
  const folder = join(home, 'mcp-keys');
  const key = new ApiKeys(folder).add({ name: 'all' });
  const some = new ApiKeys(folder).add({ name: 'some', scopes: ['chat', 'tools'] });
  const { target, close } = await startGateway({ keys: folder });
  onTestFinished(() => close(0));
  const connect = (shown: string) =>
    connectMcpServer({ name: 'own', url: `http://${target}/mcp`, headers: { authorization: `Bearer ${shown}` } });
  await expect(connect('none')).rejects.toThrow();
  await expect(connect(some)).rejects.toThrow();
  const mcp = await connect(key);
  onTestFinished(() => mcp.close());
  const tools = new Map(mcp.tools.map((tool) => [tool.name.replace(/^.*own_/, ''), tool]));
  expect([...tools.keys()].sort()).toEqual(['ask', 'retrieve', 'run_python']);
  const { signal } = new AbortController();
  const { text } = await tools.get('retrieve')!.run({ query: 'birthplace of Monka', collection: 'people' }, { signal });
  expect(text).toContain('His birthplace is Teladal');
});

test('runs belong to their key; what they do needs its scopes, and costs its tokens', { timeout }, async () => {
  const folder = join(home, 'keys');
  const keys = new ApiKeys(folder);
  const one = keys.add({ name: 'one', tokensPerMinute: 40 });
  const two = keys.add({ name: 'two', scopes: ['chat', 'knowledge'] });
  const { target, close } = await startGateway({ keys: folder });
  onTestFinished(() => close(0));
  const crucible = { ...hops.crucible, run_id: 'mine' };
  const first = await post({ ...hops, crucible }, { target, key: one });
  expect(await first.json()).toMatchObject({ choices: [{ message: { crucible: { run_id: 'mine' } } }] });
  expect(await call('GET', '/mine', undefined, target, one)).toMatchObject({ status: 200, id: 'mine' });
  expect((await call('GET', '', undefined, target, one)).data.map(({ id }) => id)).toEqual(['mine']);
  expect(await call('GET', '/mine', undefined, target, two)).toMatchObject({ status: 404 });
  expect((await call('GET', '', undefined, target, two)).data).toEqual([]);
  expect(await call('POST', '/mine/cancel', undefined, target, two)).toMatchObject({ status: 404 });
  const refused = await post(hops, { target, key: two });
  expect(refused.status).toBe(403);
  expect(await refused.json()).toMatchObject({
    error: { message: 'the strategy react: the key two has no scope tools; it has chat, knowledge' },
  });
  // 45 tokens were spent.
  expect((await post({ ...hops, crucible: hops.crucible }, { target, key: one })).status).toBe(429);
});

test('without an actor there are no strategies, and chats go on', { timeout }, async () => {
  const { target, close } = await startGateway({ actorTarget: '127.0.0.1:1' });
  onTestFinished(() => close(0));
  expect((await clientOf(target).models.list()).data.map(({ id }) => id)).toEqual(['crucible', 'chat']);
  expect((await post({ ...hops, crucible: hops.crucible }, { target })).status).toBe(503);
  expect((await post({ model: 'chat', messages: hops.messages, max_tokens: 2 }, { target })).status).toBe(200);
});
