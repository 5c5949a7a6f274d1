import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ChatEvent, ChatRequest } from '@crucible/prompting';
import { createOpenAiModel, type OpenAiModelOptions } from './openai-model.ts';

interface Received {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
  closed: boolean;
}

const key = 'sk-secret-0123456789';

/** A server that answers as a test says, and keeps what it was asked. */
async function serve(handle: (response: ServerResponse, attempt: number) => void | Promise<void>) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const each: Received = {
        path: request.url!,
        headers: request.headers,
        body: JSON.parse(body) as Received['body'],
        closed: false,
      };
      response.on('close', () => (each.closed = true));
      void handle(response, received.push(each));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, received };
}

function streamed(response: ServerResponse, events: readonly (object | string)[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  for (const event of events) response.write(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`);
  response.end();
}

const text = (content: string, index = 0) => ({ choices: [{ index, delta: { content } }] });
const finish = (reason: string, index = 0) => ({ choices: [{ index, delta: {}, finish_reason: reason }] });

function modelAt(url: string, more: Partial<OpenAiModelOptions> = {}) {
  return createOpenAiModel({ url, model: 'big', key, ...more });
}

async function ask(model: ReturnType<typeof modelAt>, more: Partial<ChatRequest> = {}): Promise<ChatEvent[]> {
  const events: ChatEvent[] = [];
  const request = {
    messages: [{ role: 'user' as const, content: 'Hi' }],
    maxTokens: 20,
    signal: new AbortController().signal,
    ...more,
  };
  for await (const event of model.generate(request)) events.push(event);
  return events;
}

describe('a model behind a URL', () => {
  it('streams text, its end and its usage', async () => {
    const { url, received } = await serve((response) =>
      streamed(response, [
        { choices: [{ delta: { role: 'assistant', content: '' } }] },
        text('Hel'),
        text('lo'),
        finish('stop'),
        { choices: [], usage: { prompt_tokens: 5, completion_tokens: 2 } },
        '[DONE]',
      ]),
    );
    expect(await ask(modelAt(`${url}/`))).toEqual([
      { kind: 'text', sample: 0, text: 'Hel' },
      { kind: 'text', sample: 0, text: 'lo' },
      { kind: 'usage', usage: { promptTokens: 5, completionTokens: 2 } },
      { kind: 'end', sample: 0, finish: 'stop' },
    ]);
    expect(received[0]).toMatchObject({ path: '/v1/chat/completions', headers: { authorization: `Bearer ${key}` } });
    expect(received[0]!.body).toEqual({
      model: 'big',
      messages: [{ role: 'user', content: 'Hi' }],
      max_tokens: 20,
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it('sends what a request says, in the words of the API', async () => {
    const { url, received } = await serve((response) => streamed(response, [finish('length')]));
    const parameters = { type: 'object' };
    await ask(modelAt(url, { maxTokensField: 'max_completion_tokens', key: '' }), {
      temperature: 0,
      topP: 0.9,
      seed: 0,
      stops: ['a', 'b', 'c', 'd', 'e'],
      tools: [{ name: 'search', description: 'looks', parameters }],
      messages: [
        { role: 'assistant', content: '', toolCalls: [{ id: '1', name: 'search', arguments: '{}' }] },
        { role: 'tool', content: 'found', callId: '1' },
        { role: 'tool', content: 'plain' },
      ],
    });
    expect(received[0]!.body).toEqual({
      model: 'big',
      messages: [
        {
          role: 'assistant',
          content: '',
          tool_calls: [{ id: '1', type: 'function', function: { name: 'search', arguments: '{}' } }],
        },
        { role: 'tool', content: 'found', tool_call_id: '1' },
        { role: 'tool', content: 'plain' },
      ],
      max_completion_tokens: 20,
      temperature: 0,
      top_p: 0.9,
      seed: 0,
      stop: ['a', 'b', 'c', 'd'],
      tools: [{ type: 'function', function: { name: 'search', description: 'looks', parameters } }],
      stream: true,
      stream_options: { include_usage: true },
    });
    expect(received[0]!.headers).not.toHaveProperty('authorization');
  });

  it('takes several samples apart, and reports log-probabilities', async () => {
    const logprobs = { content: [{ token: 'b', logprob: -0.5, bytes: [98], top_logprobs: [] }] };
    const { url, received } = await serve((response) =>
      streamed(response, [
        text('a'),
        { choices: [{ index: 1, delta: { content: 'b' }, logprobs }] },
        finish('length', 1),
        text('c'),
        finish('stop'),
        '[DONE]',
      ]),
    );
    expect(await ask(modelAt(url), { samples: 2, logprobs: true })).toEqual([
      { kind: 'text', sample: 0, text: 'a' },
      { kind: 'text', sample: 1, text: 'b', logprobs: [{ token: 'b', logprob: -0.5 }] },
      { kind: 'text', sample: 0, text: 'c' },
      { kind: 'end', sample: 0, finish: 'stop' },
      { kind: 'end', sample: 1, finish: 'length' },
    ]);
    expect(received[0]!.body).toMatchObject({ n: 2, logprobs: true });
  });

  it('puts calls of tools together from their pieces', async () => {
    const piece = (index: number | undefined, call: object) => ({
      choices: [{ delta: { content: null, tool_calls: [{ ...(index !== undefined && { index }), ...call }] } }],
    });
    const { url } = await serve((response) =>
      streamed(response, [
        piece(0, { id: 'x', function: { name: 'search', arguments: '' } }),
        piece(0, { function: { arguments: '{"title"' } }),
        piece(1, { id: 'y', function: { name: 'lookup', arguments: '{}' } }),
        piece(0, { function: { arguments: ':"a"}' } }),
        // Whole, and without index and id.
        piece(undefined, { function: { name: 'third', arguments: '{}' } }),
        finish('tool_calls'),
      ]),
    );
    expect(await ask(modelAt(url))).toEqual([
      {
        kind: 'end',
        sample: 0,
        finish: 'tool-calls',
        toolCalls: [
          { id: 'x', name: 'search', arguments: '{"title":"a"}' },
          { id: 'y', name: 'lookup', arguments: '{}' },
          { id: 'call-2', name: 'third', arguments: '{}' },
        ],
      },
    ]);
  });

  it('reads an answer that comes in one piece', async () => {
    const { url } = await serve((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({
          choices: [{ index: 0, message: { content: 'whole' }, finish_reason: 'content_filter' }],
          usage: { prompt_tokens: 1, completion_tokens: 1 },
        }),
      );
    });
    expect(await ask(modelAt(url))).toMatchObject([
      { kind: 'text', text: 'whole' },
      { kind: 'usage' },
      { kind: 'end', finish: 'refused' },
    ]);
  });

  it('closes the connection when it is left', async () => {
    const { url, received } = await serve((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`data: ${JSON.stringify(text('more'))}\n\n`);
    });
    for await (const event of modelAt(url).generate({
      messages: [],
      maxTokens: 5,
      signal: new AbortController().signal,
    }))
      if (event.kind === 'text') break;
    await expect.poll(() => received[0]!.closed).toBe(true);
  });

  it('is cancelled', async () => {
    const { url, received } = await serve(
      (response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': ping\n\n'),
    );
    const controller = new AbortController();
    const asked = ask(modelAt(url), { signal: controller.signal });
    await expect.poll(() => received.length).toBe(1);
    controller.abort();
    await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
    await expect.poll(() => received[0]!.closed).toBe(true);
  });
});

describe('errors', () => {
  it.each([
    [400, '{"error": {"message": "bad stop"}}', 'invalid-input', 'bad stop'],
    [401, '{"error": {"message": "no key like sk-secret-0123456789"}}', 'unauthenticated', 'HTTP 401: no key like ***'],
    [404, '{"error": "no such model"}', 'not-found', 'no such model'],
    [413, 'too large', 'invalid-input', 'HTTP 413: too large'],
    [429, '', 'resource-exhausted', 'HTTP 429'],
    [500, '<html>', 'unavailable', 'HTTP 500: <html>'],
  ])('of status %i are typed', async (status, body, code, message) => {
    const { url } = await serve((response) => void response.writeHead(status).end(body));
    await expect(ask(modelAt(url, { retries: 0 }))).rejects.toMatchObject({
      name: 'CrucibleError',
      code,
      message: message.startsWith('HTTP') ? `${url}/chat/completions: ${message}` : message,
    });
  });

  it.each<[string, (response: ServerResponse) => void, string]>([
    [
      'in the stream',
      (response) => streamed(response, [text('a'), { error: { message: `out of memory, ${key}` } }]),
      'out of memory, ***',
    ],
    [
      'that are no JSON',
      (response) => streamed(response, [text('a'), '{"choices"']),
      'it sent what is no part of an answer: {"choices"',
    ],
    [
      'of another shape',
      (response) => streamed(response, [{ choices: 'x' }]),
      'it sent what is no part of an answer: {"choices":"x"}',
    ],
    ['of an answer that broke off', (response) => streamed(response, [text('a')]), 'the answer broke off'],
    ['of an answer too many', (response) => streamed(response, [text('a', 3)]), 'it sent answer 3 of 1'],
  ])('%s', async (_what, handle, message) => {
    const { url } = await serve(handle);
    await expect(ask(modelAt(url, { retries: 0 }))).rejects.toMatchObject({
      code: 'unavailable',
      message: `${url}/chat/completions: ${message}`,
    });
  });

  it('of a server that is not there', async () => {
    await expect(ask(modelAt('http://127.0.0.1:9/v1', { retries: 0 }))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/it cannot be reached: .*(ECONNREFUSED|bad port)/) as string,
    });
  });

  it('of a server that is silent, or takes too long', async () => {
    const silent = await serve(() => undefined);
    await expect(ask(modelAt(silent.url, { silenceMs: 50 }))).rejects.toMatchObject({
      code: 'deadline-exceeded',
      message: `${silent.url}/chat/completions: nothing came for 50 ms`,
    });
    const slow = await serve(async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let i = 0; i < 200 && !response.destroyed; i++) {
        response.write(`data: ${JSON.stringify(text('x'))}\n\n`);
        await delay(10);
      }
    });
    await expect(ask(modelAt(slow.url, { silenceMs: 2000, deadlineMs: 150 }))).rejects.toMatchObject({
      code: 'deadline-exceeded',
      message: `${slow.url}/chat/completions: the answer took longer than 150 ms`,
    });
  });

  it('that pass by themselves are tried again, before there is text', async () => {
    const { url, received } = await serve((response, attempt) => {
      if (attempt === 1) response.writeHead(503, { 'retry-after': '0' }).end();
      else if (attempt === 2) response.destroy();
      else streamed(response, [text('at last'), finish('stop')]);
    });
    expect(await ask(modelAt(url))).toHaveLength(2);
    expect(received).toHaveLength(3);
    const broken = await serve((response) => streamed(response, [text('a'), { error: 'gone' }]));
    await expect(ask(modelAt(broken.url))).rejects.toThrow('gone');
    expect(broken.received).toHaveLength(1);
  });

  it('are not tried again where that cannot help', async () => {
    const { url, received } = await serve((response) => void response.writeHead(400).end());
    await expect(ask(modelAt(url))).rejects.toMatchObject({ code: 'invalid-input' });
    expect(received).toHaveLength(1);
  });

  it('do not lead to another server: the key is for this one', async () => {
    const other = await serve((response) => streamed(response, [finish('stop')]));
    const { url } = await serve(
      (response) => void response.writeHead(307, { location: `${other.url}/chat/completions` }).end(),
    );
    await expect(ask(modelAt(url, { retries: 0 }))).rejects.toMatchObject({ code: 'unavailable' });
    expect(other.received).toEqual([]);
  });

  it.each(['ftp://x/v1', 'localhost', 'http://user:password@host/v1'])('%s is no URL of an API', (url) => {
    expect(() => modelAt(url)).toThrow('http://host/v1 or https://host/v1, without a user or password, is allowed');
    expect(() => modelAt(url)).not.toThrow('password@');
  });
});
