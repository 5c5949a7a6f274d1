import { describe, expect, test } from 'vitest';
import { parseChatRequest } from './chat-request.ts';

const base = { model: 'chat', messages: [{ role: 'user', content: 'is the iron hot?' }] };

describe('a body that is right', () => {
  test('needs no more than a model and messages; the rest has defaults, also where it is null', () => {
    const expected = {
      ...base,
      maxTokens: undefined,
      maxTokensField: 'max_tokens',
      temperature: 1,
      topP: 1,
      topK: 0,
      choices: 1,
      stops: [],
      seed: undefined,
      stream: false,
      includeUsage: false,
      topLogprobs: undefined,
    };
    expect(parseChatRequest(base)).toEqual(expected);
    const optional =
      'max_tokens max_completion_tokens temperature top_p top_k n stop seed stream stream_options logprobs top_logprobs user frequency_penalty presence_penalty response_format';
    const nulls = Object.fromEntries(optional.split(' ').map((field) => [field, null]));
    expect(parseChatRequest({ ...base, ...nulls })).toEqual(expected);
  });

  test('says what it wants, up to the limits', () => {
    const body = {
      ...base,
      max_tokens: 7,
      max_completion_tokens: 8,
      temperature: 2,
      top_p: 0.001,
      top_k: 5,
      n: 16,
      stop: ['a', 'b', 'c', 'd'],
      seed: 4_294_967_295,
      stream: true,
      stream_options: { include_usage: true },
      logprobs: true,
      top_logprobs: 20,
      user: 'me',
      frequency_penalty: 0,
      presence_penalty: 0,
      response_format: { type: 'text' },
    };
    expect(parseChatRequest(body)).toEqual({
      ...base,
      maxTokens: 8,
      maxTokensField: 'max_completion_tokens',
      temperature: 2,
      topP: 0.001,
      topK: 5,
      choices: 16,
      stops: ['a', 'b', 'c', 'd'],
      seed: 4_294_967_295,
      stream: true,
      includeUsage: true,
      topLogprobs: 20,
    });
  });

  test.each([
    ['one stop string', { stop: 'x' }, { stops: ['x'] }],
    ['temperature 0', { temperature: 0 }, { temperature: 0 }],
    ['log-probabilities without alternatives', { logprobs: true }, { topLogprobs: 0 }],
  ])('may have %s', (_what, more, expected) => {
    expect(parseChatRequest({ ...base, ...more })).toMatchObject(expected);
  });

  test('has messages of every role, in parts or whole; developer is another word for system', () => {
    const part = (text: string): object => ({ type: 'text', text });
    const messages = [
      { role: 'developer', content: 'be brief' },
      { role: 'system', content: '' },
      { role: 'user', content: [part('is the '), part('iron hot?')], name: 'smith' },
      { role: 'assistant', content: 'yes', refusal: null },
      { role: 'tool', content: '900 °C' },
    ];
    expect(parseChatRequest({ ...base, messages }).messages).toEqual([
      { role: 'system', content: 'be brief' },
      { role: 'system', content: '' },
      { role: 'user', content: 'is the iron hot?' },
      { role: 'assistant', content: 'yes' },
      { role: 'tool', content: '900 °C' },
    ]);
  });
});

describe('a body that is wrong is refused with the field, what it is and what is allowed:', () => {
  const message = (more: object): object => ({ messages: [...base.messages, { role: 'user', content: 'x', ...more }] });
  const contents = 'a string, or a list of parts {"type": "text", "text": …}, is allowed';
  const seeds = 'a whole number from 0 to 4294967295 is allowed';
  test.each<[object, string, string]>([
    [{ model: undefined }, 'model', 'it is missing; a string is allowed'],
    [{ model: 5 }, 'model', '5 is given; a string is allowed'],
    [{ model: '' }, 'model', '"" is given; a string that is not empty is allowed'],
    [{ messages: undefined }, 'messages', 'it is missing; a list of messages is allowed'],
    [{ messages: 'hi' }, 'messages', '"hi" is given; a list of messages is allowed'],
    [{ messages: [] }, 'messages', '[] is given; a list of at least one message is allowed'],
    [{ messages: ['hi'] }, 'messages[0]', '"hi" is given; an object is allowed'],
    [
      message({ role: 'king' }),
      'messages[1].role',
      '"king" is given; one of system, developer, user, assistant, tool is allowed',
    ],
    [message({ content: undefined }), 'messages[1].content', `it is missing; ${contents}`],
    [message({ content: null }), 'messages[1].content', `null is given; ${contents}`],
    [message({ content: [] }), 'messages[1].content', `[] is given; ${contents}`],
    [
      message({ content: [{ type: 'image_url', image_url: { url: 'data:' } }] }),
      'messages[1].content',
      `[{"type":"image_url","image_url":{"url":… is given; ${contents}`,
    ],
    [message({ name: 5 }), 'messages[1].name', '5 is given; a string is allowed'],
    [message({ refusal: 'no' }), 'messages[1].refusal', '"no" is given; null is allowed'],
    [message({ tool_calls: [] }), 'messages[1].tool_calls', 'this field is not known or not supported here'],
    [{ max_tokens: 0 }, 'max_tokens', '0 is given; a whole number of at least 1 is allowed'],
    [{ max_tokens: '5' }, 'max_tokens', '"5" is given; a whole number of at least 1 is allowed'],
    [{ max_tokens: 1e300 }, 'max_tokens', '1e+300 is given; a whole number of at least 1 is allowed'],
    [{ max_completion_tokens: 1.5 }, 'max_completion_tokens', '1.5 is given; a whole number of at least 1 is allowed'],
    [{ temperature: 2.01 }, 'temperature', '2.01 is given; a number from 0 to 2 is allowed'],
    [{ temperature: -0.1 }, 'temperature', '-0.1 is given; a number from 0 to 2 is allowed'],
    [{ temperature: 'hot' }, 'temperature', '"hot" is given; a number from 0 to 2 is allowed'],
    [{ top_p: 0 }, 'top_p', '0 is given; a number above 0 and at most 1 is allowed'],
    [{ top_p: 1.1 }, 'top_p', '1.1 is given; a number above 0 and at most 1 is allowed'],
    [{ top_p: true }, 'top_p', 'true is given; a number above 0 and at most 1 is allowed'],
    [{ top_k: -1 }, 'top_k', '-1 is given; a whole number of at least 0 is allowed'],
    [{ n: 0 }, 'n', '0 is given; a whole number from 1 to 16 is allowed'],
    [{ n: 17 }, 'n', '17 is given; a whole number from 1 to 16 is allowed'],
    [{ stop: '' }, 'stop', '"" is given; a string that is not empty is allowed'],
    [{ stop: ['x', ''] }, 'stop[1]', '"" is given; a string that is not empty is allowed'],
    [{ stop: 5 }, 'stop', '5 is given; a string, or a list of at most 4 strings, is allowed'],
    [
      { stop: ['a', 'b', 'c', 'd', 'e'] },
      'stop',
      '["a","b","c","d","e"] is given; a string, or a list of at most 4 strings, is allowed',
    ],
    [{ seed: -1 }, 'seed', `-1 is given; ${seeds}`],
    [{ seed: 2 ** 32 }, 'seed', `4294967296 is given; ${seeds}`],
    [{ stream: 'yes' }, 'stream', '"yes" is given; true or false is allowed'],
    [{ stream: true, stream_options: true }, 'stream_options', 'true is given; an object is allowed'],
    [
      { stream: true, stream_options: { include_usage: 1 } },
      'stream_options.include_usage',
      '1 is given; true or false is allowed',
    ],
    [
      { stream: true, stream_options: { more: 1 } },
      'stream_options.more',
      'this field is not known or not supported here',
    ],
    [{ logprobs: 1 }, 'logprobs', '1 is given; true or false is allowed'],
    [{ logprobs: true, top_logprobs: 21 }, 'top_logprobs', '21 is given; a whole number from 0 to 20 is allowed'],
    [{ user: {} }, 'user', '{} is given; a string is allowed'],
    [{ frequency_penalty: 0.5 }, 'frequency_penalty', '0.5 is given; 0, which changes nothing, is allowed'],
    [{ presence_penalty: -1 }, 'presence_penalty', '-1 is given; 0, which changes nothing, is allowed'],
    [{ response_format: { type: 'json_object' } }, 'response_format.type', '"json_object" is given; "text" is allowed'],
    [{ tools: [] }, 'tools', 'this field is not known or not supported here'],
  ])('%j', (more, at, what) => {
    expect(() => parseChatRequest({ ...base, ...more })).toThrow(
      expect.objectContaining({ code: 'invalid-input', at, message: `${at}: ${what}` }) as Error,
    );
  });

  test.each([
    [{ top_logprobs: 3 }, 'top_logprobs', 'top_logprobs is only allowed together with logprobs: true'],
    [{ logprobs: false, top_logprobs: 3 }, 'top_logprobs', 'top_logprobs is only allowed together with logprobs: true'],
    [
      { stream_options: { include_usage: true } },
      'stream_options',
      'stream_options is only allowed together with stream: true',
    ],
  ])('%j, which depends on another', (more, at, what) => {
    expect(() => parseChatRequest({ ...base, ...more })).toThrow(
      expect.objectContaining({ code: 'invalid-input', at, message: what }) as Error,
    );
  });

  test.each([[null], [[]], ['hi'], [5]])('%j in place of an object', (body) => {
    expect(() => parseChatRequest(body)).toThrow(
      expect.objectContaining({
        code: 'invalid-input',
        at: 'body',
        message: 'the body must be a JSON object',
      }) as Error,
    );
  });
});
