import { connect } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Bus, createBus } from '@crucible/bus';
import { ModelRegistry, saveModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { createGatewayService } from '@crucible/gateway';
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
  const common = { log, host: '127.0.0.1', port: 0 };
  policy = await createPolicyService({ ...common, bus, source: registry });
  gateway = await createGatewayService({ ...common, policyTarget: policy.target });
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

function post(body: string): Promise<Response> {
  return fetch(`http://${gateway.target}/v1/chat/completions`, { method: 'POST', body });
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
  const ask = async (more: object): Promise<(string | null)[]> =>
    (await openai.chat.completions.create({ ...base, n: 3, ...more })).choices.map(({ message }) => message.content);
  const first = await ask({});
  expect(new Set(first).size).toBe(3);
  expect(await ask({})).toEqual(first);
  expect(new Set(await ask({ temperature: 0 })).size).toBe(1);
});

test('an answer can be sent back as it came', async () => {
  const { choices } = await openai.chat.completions.create(base);
  const more = [...messages, choices[0]!.message, ...messages];
  await expect(openai.chat.completions.create({ ...base, messages: more })).resolves.toHaveProperty('id');
});

test('a caller that leaves ends the generation, streamed or not', async () => {
  lines.length = 0;
  for (const stream of [true, false]) {
    const controller = new AbortController();
    const body = JSON.stringify({ ...base, max_tokens: 1900, temperature: 2, stream });
    const { signal } = controller;
    const asked = fetch(`http://${gateway.target}/v1/chat/completions`, { method: 'POST', body, signal });
    if (stream) await (await asked).body!.getReader().read();
    else await new Promise((resolve) => setTimeout(resolve, 100));
    controller.abort();
    await asked.catch(() => undefined);
  }
  const method = 'crucible.policy.v1.PolicyService/Generate';
  const cancelled = (): number =>
    lines.filter((line) => line['method'] === method && line['code'] === 'cancelled').length;
  await vi.waitFor(() => expect(cancelled()).toBe(2), { timeout: 10_000 });
});

describe('errors have the form of the OpenAI API:', () => {
  const long = [{ role: 'user', content: 'x'.repeat(3000) }];
  test.each<[string, object, number, string, string, RegExp]>([
    [
      'an unknown model',
      { model: 'gpt-4' },
      404,
      'model_not_found',
      'model',
      /^model gpt-4 does not exist; there are crucible, chat$/,
    ],
    ['no messages', { messages: [] }, 400, 'invalid_input', 'messages', /^messages: /],
    ['a temperature above 2', { temperature: 3 }, 400, 'invalid_input', 'temperature', /^temperature: /],
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
      { messages: long },
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
      const response = await post(JSON.stringify({ ...base, stream, ...wrong }));
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
  const streamed = await post(JSON.stringify({ ...base, stream: true }));
  expect(streamed.headers.get('content-type')).toMatch(/^text\/event-stream/);
  expect(streamed.headers.get('cache-control')).toBe('no-cache');
  expect(streamed.headers.get('access-control-allow-origin')).toBeNull();
  expect((await streamed.text()).trimEnd()).toMatch(/data: \[DONE\]$/);
  expect((await post(JSON.stringify(base))).headers.get('content-type')).toMatch(/^application\/json/);
});

test('a gateway without its policy is up, says so, and refuses to chat for now', async () => {
  const options = { log, host: '127.0.0.1', port: 0, policyTarget: `127.0.0.1:${await freePort()}` };
  const alone = await createGatewayService(options);
  const health = await fetch(`http://${alone.target}/healthz`);
  expect(health.status).toBe(503);
  expect(await health.json()).toMatchObject({ status: 'unavailable' });
  const chat = await fetch(`http://${alone.target}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify(base),
  });
  expect(chat.status).toBe(503);
  expect(await chat.json()).toMatchObject({ error: { type: 'server_error', code: 'unavailable' } });
  await alone.close(0);
  await expect(
    new Promise((resolve, reject) =>
      connect(Number(alone.target.split(':')[1]), '127.0.0.1', () => resolve(0)).on('error', reject),
    ),
  ).rejects.toThrow('ECONNREFUSED');
});

test('a port that is taken is an error that names it', async () => {
  const port = Number(gateway.target.split(':')[1]);
  const second = createGatewayService({ log, host: '127.0.0.1', port, policyTarget: policy.target });
  await expect(second).rejects.toMatchObject({
    code: 'conflict',
    message: `port ${port} of 127.0.0.1 is taken by another process`,
    at: 'port',
  });
});
