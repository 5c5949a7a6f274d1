import { mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Bus, createBus } from '@crucible/bus';
import { ModelRegistry, saveModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { createGatewayService, type GatewayDependencies } from '@crucible/gateway';
import { initLanguageModel } from '@crucible/nn';
import { createPolicyService } from '@crucible/policy';
import type { Service } from '@crucible/service';
import { recordingLogger } from '@crucible/service/testing';
import { floats } from '@crucible/tensor';
import { freePort, tinyLlamaConfig } from '@crucible/testing';
import { saveTokenizer, trainBpe } from '@crucible/tokenizer';

const folder = mkdtempSync(join(tmpdir(), 'crucible-gateway-'));
const { log, lines } = recordingLogger();
const contextLength = 2048;
const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
let bus: Bus;
let policy: Service;
let gateway: Service;
let openai: OpenAI;

beforeAll(async () => {
  const tokenizer = await trainBpe(['the iron is hot, and so is the forge. '.repeat(20)], { vocabSize: 290 });
  const config = { ...tinyLlamaConfig, vocabularySize: tokenizer.vocabSize, maxPositions: contextLength };
  const random = Random.seeded(1);
  const weights = initLanguageModel(config, random);
  const head = Float32Array.from({ length: config.vocabularySize * config.hiddenSize }, () => random.normal() * 0.5);
  const registry = new ModelRegistry(folder);
  const card = { name: 'chat', stage: 'sft', kind: 'language', step: 1, finished: true, metrics: {} } as const;
  await registry.publish(card, (path) => {
    const lm_head = { weight: floats([config.vocabularySize, config.hiddenSize], head) };
    // The end token is one that this model hardly ever draws: answers end by their length or by a stop string.
    saveModel(path, { kind: 'language', config, weights: { ...weights, lm_head } }, { bos: 0, eos: [1], pad: 1 });
    saveTokenizer(tokenizer, path);
  });
  bus = await createBus('embedded:');
  policy = await createPolicyService({ log, host: '127.0.0.1', port: 0, bus, source: registry });
  gateway = await startGateway();
  openai = new OpenAI({ apiKey: 'none', baseURL: `http://${gateway.target}/v1`, maxRetries: 0 });
});
afterAll(async () => {
  await gateway.close(0);
  await policy.close(0);
  await bus.close();
  rmSync(folder, { recursive: true, force: true });
});

const messages = [{ role: 'user' as const, content: 'is the iron hot?' }];
const base = { model: 'chat', messages, max_tokens: 24, seed: 5 };

/** Takes a while. */
const long = { ...base, max_tokens: 1900, temperature: 2 };

function post(body: string, signal?: AbortSignal, target = gateway.target): Promise<Response> {
  return fetch(`http://${target}/v1/chat/completions`, { method: 'POST', body, ...(signal && { signal }) });
}

function ask(body: object, signal?: AbortSignal, target?: string): Promise<Response> {
  return post(JSON.stringify(body), signal, target);
}

/** What server-sent events carry. */
async function* eventsOf(response: Response): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let begun = '';
  for await (const bytes of response.body as ReadableStream<Uint8Array>) {
    const events = (begun + decoder.decode(bytes, { stream: true })).split('\n\n');
    begun = events.pop()!;
    for (const event of events) if (event.startsWith('data: ')) yield event.slice('data: '.length);
  }
}

/** Reads on until there is text; the stream stays open. */
async function firstText(events: AsyncGenerator<string, void, undefined>): Promise<void> {
  for (;;) {
    const next = await events.next();
    if (next.done === true) throw new Error('the stream has ended');
    const { choices } = JSON.parse(next.value) as OpenAI.ChatCompletionChunk;
    if (choices[0]!.delta.content) return;
  }
}

function startGateway(options: Partial<GatewayDependencies> = {}): Promise<Service> {
  return createGatewayService({
    log,
    host: '127.0.0.1',
    port: 0,
    policyTarget: policy.target,
    retrieverTarget: '127.0.0.1:1',
    sandboxTarget: '127.0.0.1:1',
    ...options,
  });
}

test('the models are listed, the newest under the name crucible too', async () => {
  const ids = (await openai.models.list()).data.map(({ id }) => id);
  expect(ids).toEqual(['crucible', 'chat']);
  await expect(openai.models.retrieve('crucible')).resolves.toMatchObject({ id: 'crucible', owned_by: 'crucible' });
});

test('an answer streamed is the answer whole, with the finish reason and the usage', async () => {
  const whole = await openai.chat.completions.create(base);
  const [choice] = whole.choices;
  const finish = choice!.finish_reason;
  expect(whole.usage!.total_tokens).toBe(whole.usage!.prompt_tokens + whole.usage!.completion_tokens);
  let text = '';
  const finishes: string[] = [];
  let usage: object | undefined;
  const stream = await openai.chat.completions.create({
    ...base,
    stream: true,
    stream_options: { include_usage: true },
  });
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    if (chunk.choices[0]?.finish_reason) finishes.push(chunk.choices[0].finish_reason);
    usage = chunk.usage ?? usage;
  }
  expect(text).toBe(choice!.message.content);
  expect(finishes).toEqual([finish]);
  expect(usage).toEqual(whole.usage);
});

test('a stop string that spans tokens cuts the text before it, whole and streamed', async () => {
  const { choices } = await openai.chat.completions.create(base);
  const text = choices[0]!.message.content!;
  const stop = text.slice(8, 12);
  const expected = text.slice(0, text.indexOf(stop));
  const stopped = await openai.chat.completions.create({ ...base, stop: [stop] });
  expect(stopped.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: expected } });
  let streamed = '';
  for await (const chunk of await openai.chat.completions.create({ ...base, stop, stream: true }))
    streamed += chunk.choices[0]?.delta.content ?? '';
  expect(streamed).toBe(expected);
});

test('n answers differ, are the same for the same seed, and all alike at temperature 0', async () => {
  const answers = async (more: object): Promise<(string | null)[]> =>
    (await openai.chat.completions.create({ ...base, n: 3, ...more })).choices.map(({ message }) => message.content);
  const first = await answers({});
  expect(new Set(first).size).toBe(3);
  expect(await answers({})).toEqual(first);
  expect(new Set(await answers({ temperature: 0 })).size).toBe(1);
});

test('an answer can be sent back as it came', async () => {
  const { choices } = await openai.chat.completions.create(base);
  const more = [...messages, choices[0]!.message, ...messages];
  await expect(openai.chat.completions.create({ ...base, messages: more })).resolves.toHaveProperty('id');
});

test('a caller that leaves ends the generation, streamed or not', async () => {
  lines.length = 0;
  const controller = new AbortController();
  const whole = ask(long, controller.signal);
  whole.catch(() => undefined);
  const streamed = await ask({ ...long, stream: true }, controller.signal);
  // The other came first, so it is being answered too.
  await firstText(eventsOf(streamed));
  controller.abort();
  const method = 'crucible.policy.v1.PolicyService/Generate';
  const cancelled = (): number =>
    lines.filter((line) => line['method'] === method && line['code'] === 'cancelled').length;
  await vi.waitFor(() => expect(cancelled()).toBe(2), { timeout: 20_000 });
  await expect(whole).rejects.toThrow('aborted');
});

describe('errors have the form of the OpenAI API:', () => {
  test.each<[string, object, number, string, string, RegExp]>([
    [
      'an unknown model',
      { model: 'gpt-4' },
      404,
      'model_not_found',
      'model',
      /^model gpt-4 does not exist; there are crucible, chat$/,
    ],
    ['no messages', { messages: [] }, 400, 'invalid_input', 'messages', /^messages: \[\] is given; /],
    ['a temperature above 2', { temperature: 3 }, 400, 'invalid_input', 'temperature', /^temperature: 3 is given; /],
    [
      'a role that does not exist',
      { messages: [{ role: 'king', content: 'x' }] },
      400,
      'invalid_input',
      'messages[0].role',
      /^messages\[0\]\.role: "king" is given; one of system, developer, user, assistant, tool is allowed$/,
    ],
    [
      'an unknown field',
      { tools: [] },
      400,
      'invalid_input',
      'tools',
      /^tools: this field is not known or not supported here$/,
    ],
    [
      'messages longer than the context',
      { messages: [{ role: 'user', content: 'x'.repeat(3000) }] },
      400,
      'context_length_exceeded',
      'messages',
      /the context of chat is 2048 tokens/,
    ],
    [
      'more tokens than the context',
      { max_tokens: 5000 },
      400,
      'context_length_exceeded',
      'max_tokens',
      /^max_tokens: 5000 is more than/,
    ],
  ])('%s', async (_what, wrong, status, code, param, message) => {
    for (const stream of [false, true]) {
      const response = await ask({ ...base, stream, ...wrong });
      expect(response.status).toBe(status);
      const { error } = (await response.json()) as { error: Record<string, string> };
      expect(error).toEqual({
        type: 'invalid_request_error',
        code,
        param,
        message: expect.stringMatching(message) as string,
      });
      expect(JSON.stringify(error)).not.toMatch(/\.ts:\d/);
    }
  });

  test('a body that is no JSON, or too large', async () => {
    expect((await post('{')).status).toBe(400);
    const large = await post(' '.repeat(4 * 1024 * 1024 + 1));
    expect(large.status).toBe(413);
    expect(await large.json()).toMatchObject({
      error: { message: 'the body is larger than 4194304 bytes', param: 'body' },
    });
  });
});

test('headers are plain: a stream is not cached, and other origins are not let in', async () => {
  const streamed = await ask({ ...base, stream: true });
  expect(streamed.headers.get('content-type')).toMatch(/^text\/event-stream/);
  expect(streamed.headers.get('cache-control')).toBe('no-cache');
  expect(streamed.headers.get('access-control-allow-origin')).toBeNull();
  expect((await streamed.text()).trimEnd()).toMatch(/data: \[DONE\]$/);
  expect((await ask(base)).headers.get('content-type')).toMatch(/^application\/json/);
});

test('a gateway without its policy is up, says so, and refuses to chat for now', async () => {
  const policyTarget = `127.0.0.1:${await freePort()}`;
  const alone = await startGateway({ policyTarget });
  const message = expect.stringContaining(policyTarget) as string;
  const health = await fetch(`http://${alone.target}/healthz`);
  expect(health.status).toBe(503);
  expect(await health.json()).toEqual({ status: 'unavailable', message });
  const chat = await ask(base, undefined, alone.target);
  expect(chat.status).toBe(503);
  expect(chat.headers.get('retry-after')).toBe('1');
  expect(await chat.json()).toEqual({ error: { type: 'server_error', code: 'unavailable', param: null, message } });
  await alone.close(0);
});

describe('a gateway that is closing', () => {
  test('lets an answer come to its end, and takes no new calls', async () => {
    const own = await startGateway();
    const events = eventsOf(await ask({ ...base, stream: true, max_tokens: 300 }, undefined, own.target));
    await firstText(events);
    const closed = own.close(60_000);
    await expect(ask(base, undefined, own.target)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    const rest: string[] = [];
    for await (const event of events) rest.push(event);
    expect(JSON.parse(rest.at(-2)!)).toMatchObject({ choices: [{ finish_reason: 'length' }] });
    expect(rest.at(-1)).toBe('[DONE]');
    await closed;
  });

  test('breaks answers off when they take longer than the grace, and tells the callers', async () => {
    const own = await startGateway();
    const whole = ask(long, undefined, own.target);
    const events = eventsOf(await ask({ ...long, stream: true }, undefined, own.target));
    // The other came first, so it is being answered too.
    await firstText(events);
    const closed = own.close(0);
    const message = 'the gateway is shutting down; the answer was broken off';
    const error = { error: { type: 'server_error', code: 'unavailable', param: null, message } };
    const response = await whole;
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual(error);
    let last = '';
    for await (const event of events) last = event;
    expect(JSON.parse(last)).toEqual(error);
    await closed;
  });
});

test.skipIf(!hasIPv6)('a gateway at an IPv6 address says its target with brackets (needs IPv6)', async () => {
  const own = await startGateway({ host: '::1' });
  expect(own.target).toMatch(/^\[::1\]:\d+$/);
  expect((await fetch(`http://${own.target}/v1/models`)).status).toBe(200);
  await own.close(0);
});

test('a port that is taken is an error that names it', async () => {
  const port = Number(gateway.target.split(':')[1]);
  await expect(startGateway({ port })).rejects.toMatchObject({
    code: 'conflict',
    message: `port ${port} of 127.0.0.1 is taken by another process`,
    at: 'port',
  });
});
