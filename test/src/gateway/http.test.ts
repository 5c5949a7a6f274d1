import { networkInterfaces } from 'node:os';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { PolicyService } from '@crucible/protos/policy/v1';
import { createClient } from '@crucible/rpc';
import { createGatewayService, type GatewayDependencies } from '@crucible/gateway';
import type { Service } from '@crucible/service';
import { recordingLogger } from '@crucible/service/testing';
import { freePort } from '@crucible/testing';
import type { Tokenizer } from '@crucible/tokenizer';
import { startTinyPolicy, type TinyPolicy } from '../testing/tiny-policy.ts';

const { log, lines } = recordingLogger();
const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
let policy: TinyPolicy;
let gateway: Service;
let openai: OpenAI;
let tokenizer: Tokenizer;

beforeAll(async () => {
  policy = await startTinyPolicy(log);
  ({ tokenizer } = policy);
  gateway = await startGateway();
  openai = new OpenAI({ apiKey: 'none', baseURL: `http://${gateway.target}/v1`, maxRetries: 0 });
});
afterAll(async () => {
  await gateway.close(0);
  await policy.close();
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
    trainerTarget: '127.0.0.1:1',
    actorTarget: '127.0.0.1:1',
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
    // Who would send its next request over it would find it closed.
    expect(large.headers.get('connection')).toBe('close');
    expect(await large.json()).toMatchObject({
      error: { message: 'the body is larger than 4194304 bytes', param: 'body' },
    });
  });
});

describe('completions', () => {
  const text = { model: 'chat', prompt: 'the iron is ', max_tokens: 12, seed: 5 };

  test('continue a text, whole and streamed, as tokens too', async () => {
    const whole = await openai.completions.create(text);
    expect(whole).toMatchObject({ object: 'text_completion', model: 'chat' });
    expect(whole.choices).toMatchObject([{ index: 0, logprobs: null, finish_reason: 'length' }]);
    expect(whole.usage).toMatchObject({ completion_tokens: 12 });
    let streamed = '';
    let usage: object | undefined;
    for await (const chunk of await openai.completions.create({
      ...text,
      stream: true,
      stream_options: { include_usage: true },
    })) {
      streamed += chunk.choices[0]?.text ?? '';
      usage = chunk.usage ?? usage;
    }
    expect(streamed).toBe(whole.choices[0]!.text);
    expect(usage).toEqual(whole.usage);
    const prompt = tokenizer.encode(text.prompt);
    expect(whole.usage!.prompt_tokens).toBe(prompt.length);
    expect((await openai.completions.create({ ...text, prompt })).choices[0]!.text).toBe(streamed);
  });

  test('of several prompts come in their order, n to each', async () => {
    const single = async (prompt: string) =>
      (await openai.completions.create({ ...text, prompt, n: 2 })).choices.map((choice) => choice.text);
    const prompts = ['the forge ', 'is hot'];
    const { choices, usage } = await openai.completions.create({ ...text, prompt: prompts, n: 2 });
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(choices.map((choice) => choice.text)).toEqual([
      ...(await single(prompts[0]!)),
      ...(await single(prompts[1]!)),
    ]);
    expect(usage!.completion_tokens).toBe(48);
  });

  test('echo the prompt, with the log-probabilities that the policy scores it with', async () => {
    const { choices } = await openai.completions.create({ ...text, echo: true, logprobs: 3, max_tokens: 0 });
    const ids = tokenizer.encode(text.prompt);
    const pieces = ids.map((id) => tokenizer.decode([id]));
    expect(choices[0]).toMatchObject({ text: text.prompt, finish_reason: 'length' });
    const { tokens, token_logprobs: own, top_logprobs: tops, text_offset: offsets } = choices[0]!.logprobs!;
    expect(tokens).toEqual(pieces);
    expect(offsets).toEqual(pieces.map((_, i) => pieces.slice(0, i).join('').length));
    const client = createClient(PolicyService, policy.target, {});
    const { scores } = await client.score({
      model: 'chat',
      sequences: [{ promptTokenIds: ids.slice(0, 1), completionTokenIds: ids.slice(1) }],
    });
    client.close();
    expect(own).toEqual([null, ...scores[0]!.logprobs]);
    expect(tops![0]).toBeNull();
    expect(Object.keys(tops![1]!)).toHaveLength(3);
    expect(Object.keys(tops![1]!).join()).not.toContain('\ufffd');
    // What is drawn is scored as what was given: the same tokens, given back, have the same log-probabilities.
    const drawn = await openai.completions.create({ ...text, logprobs: 0, echo: true });
    const again = await openai.completions.create({
      ...text,
      prompt: tokenizer.encode(drawn.choices[0]!.text),
      logprobs: 0,
      echo: true,
      max_tokens: 0,
    });
    if (again.choices[0]!.logprobs!.tokens!.join('|') === drawn.choices[0]!.logprobs!.tokens!.join('|'))
      for (const [i, value] of drawn.choices[0]!.logprobs!.token_logprobs!.entries())
        if (i > 0) expect(again.choices[0]!.logprobs!.token_logprobs![i]).toBeCloseTo(value, 4);
  });

  test.each<[string, object, string, RegExp]>([
    ['a chat', { messages: [] }, 'messages', /^messages: this field is not known/],
    ['no prompt', { prompt: undefined }, 'prompt', /^prompt: it is missing; a string, a list of token ids, /],
    ['an empty prompt', { prompt: '' }, 'prompt', /^prompt: it is empty$/],
    ['an empty one of several', { prompt: ['x', ''] }, 'prompt[1]', /^prompt\[1\]: it is empty$/],
    ['a mixed list', { prompt: ['x', 5] }, 'prompt', /^prompt: \["x",5\] is given; /],
    [
      'a token that does not exist',
      { prompt: [1, 290] },
      'prompt',
      /^prompt: token 290 does not exist; chat has 284, /,
    ],
    ['a suffix', { suffix: 'x' }, 'suffix', /^suffix: this field is not known or not supported here$/],
    ['a choice of the best', { best_of: 3 }, 'best_of', /^best_of: 3 is given; 1, which changes nothing, is allowed$/],
    ['no tokens without an echo', { max_tokens: 0 }, 'max_tokens', /^max_tokens: 0 is given; /],
    ['more than the context', { max_tokens: 5000 }, 'prompt', /^prompt: its \d+ tokens and the 5000 of max_tokens/],
  ])('refuse %s by name', async (_what, wrong, param, message) => {
    const response = await fetch(`http://${gateway.target}/v1/completions`, {
      method: 'POST',
      body: JSON.stringify({ ...text, ...wrong }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { param, message: expect.stringMatching(message) as string },
    });
  });
});

test('what was answered is counted, in the words of Prometheus and vLLM', async () => {
  const own = await startGateway();
  const metrics = async (): Promise<Map<string, number>> => {
    const response = await fetch(`http://${own.target}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const lines = (await response.text()).trim().split('\n');
    return new Map(
      lines
        .filter((line) => !line.startsWith('#'))
        .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
    );
  };
  expect((await metrics()).get('vllm:prompt_tokens_total{model_name="chat"}')).toBeUndefined();
  const answer = (await (await ask({ ...base, n: 2 }, undefined, own.target)).json()) as OpenAI.ChatCompletion;
  await (await ask({ ...base, stream: true }, undefined, own.target)).text();
  await ask({ ...base, temperature: 3 }, undefined, own.target);
  const controller = new AbortController();
  const left = await ask({ ...long, stream: true }, controller.signal, own.target);
  await firstText(eventsOf(left));
  expect((await metrics()).get('vllm:num_requests_running{model_name="chat"}')).toBe(1);
  controller.abort();
  await vi.waitFor(async () =>
    expect((await metrics()).get('crucible_answers_failed_total{model_name="chat",code="cancelled"}')).toBe(1),
  );
  const after = await metrics();
  const { prompt_tokens: prompt } = answer.usage!;
  const of = (name: string, labels = ''): number | undefined => after.get(`${name}{model_name="chat"${labels}}`);
  expect(of('vllm:num_requests_running')).toBe(0);
  // Two answers to one prompt have it read once.
  expect(of('vllm:prompt_tokens_total')).toBe(prompt * 3);
  expect(of('vllm:generation_tokens_total')).toBeGreaterThan(3 * 24);
  expect(of('vllm:request_success_total', ',finished_reason="length"')).toBe(3);
  expect(of('vllm:request_generation_tokens_bucket', ',le="20"')).toBe(0);
  expect(of('vllm:request_generation_tokens_bucket', ',le="50"')).toBe(3);
  expect(of('vllm:request_generation_tokens_sum')).toBe(72);
  expect(of('vllm:time_to_first_token_seconds_count')).toBe(4);
  expect(of('vllm:e2e_request_latency_seconds_bucket', ',le="+Inf"')).toBe(3);
  const route = 'method="POST",route="/v1/chat/completions"';
  expect(after.get(`http_requests_total{${route},status="200"}`)).toBe(3);
  expect(after.get(`http_requests_total{${route},status="400"}`)).toBe(1);
  expect(after.get(`http_request_duration_seconds_count{${route}}`)).toBe(4);
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
