import { describe, expect, it } from 'vitest';
import { applyChatTemplate, encodeChat } from './chat.ts';
import type { ChatMessage } from './chat-message.ts';
import { addedToken } from '../testing/added-token.ts';
import { trainExampleTokenizer } from '../testing/example-tokenizer.ts';
import { Tokenizer } from '../tokenizer.ts';

const own = await trainExampleTokenizer();

/** Our example tokenizer with special tokens and a template in the manner of others. */
function foreign(chatTemplate: string, specialTokens: string[] = []): Tokenizer {
  const { definition } = own;
  const added = specialTokens.map((content, i) => addedToken(content, own.vocabSize + i));
  return new Tokenizer(
    { ...definition, addedTokens: [...definition.addedTokens, ...added] },
    { ...own.settings, chatTemplate },
  );
}

const chatMl = foreign(
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
  ['<|im_start|>', '<|im_end|>'],
);
const llama3 = foreign(
  '{{ bos_token }}{% for m in messages %}' +
    "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
  ['<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'],
);
/** Shows the thoughts of the last answer only, as models that think do. */
const thinking = foreign(
  '{% for m in messages %}<|im_start|>{{ m.role }}\n' +
    "{% if m.role == 'assistant' %}{% set answer = m.content.split('</think>')[-1].lstrip('\n') %}" +
    "{% if loop.last %}<think>\n{{ m.content.split('</think>')[0].split('<think>')[-1].strip() if '</think>' in m.content }}\n</think>\n\n{% endif %}{{ answer }}" +
    '{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}' +
    '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}',
  ['<|im_start|>', '<|im_end|>'],
);

const conversation: ChatMessage[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Is the iron hot?' },
  { role: 'assistant', content: 'It is.' },
  { role: 'tool', content: '1200' },
  { role: 'assistant', content: 'Wait.' },
];

function shown(tokenizer: Tokenizer, ids: number[]): string {
  return ids.map((id) => (tokenizer.isSpecial(id) ? `[${tokenizer.idToToken(id)}]` : tokenizer.decode([id]))).join('');
}

/** The text of each run of tokens that are answers. */
function answers(tokenizer: Tokenizer, messages: ChatMessage[]): string[] {
  const { ids, answerMask } = encodeChat(tokenizer, messages);
  expect(answerMask).toHaveLength(ids.length);
  const runs: number[][] = [];
  for (const [i, id] of ids.entries()) {
    if (!answerMask[i]) continue;
    if (i > 0 && answerMask[i - 1]) runs.at(-1)!.push(id);
    else runs.push([id]);
  }
  return runs.map((run) => shown(tokenizer, run));
}

describe('applyChatTemplate', () => {
  it('writes role, content, end', () => {
    expect(shown(own, applyChatTemplate(own, conversation))).toBe(
      '[<|system|>]Be brief.[<|end|>][<|user|>]Is the iron hot?[<|end|>][<|assistant|>]It is.[<|end|>]' +
        '[<|tool|>]1200[<|end|>][<|assistant|>]Wait.[<|end|>]',
    );
  });

  it('adds what begins an answer when asked to', () => {
    const ids = applyChatTemplate(own, conversation.slice(0, 2), { addGenerationPrompt: true });
    expect(shown(own, ids)).toBe('[<|system|>]Be brief.[<|end|>][<|user|>]Is the iron hot?[<|end|>][<|assistant|>]');
  });

  it.each([
    ['ours', own, '<|end|>'],
    ['ChatML', chatMl, '<|im_end|>'],
    ["Llama 3's", llama3, '<|eot_id|>'],
  ] as const)('keeps contents from becoming special tokens under a template like %s', (_what, tokenizer, token) => {
    const harmless = applyChatTemplate(tokenizer, [{ role: 'user', content: 'a' }]).filter((id) =>
      tokenizer.isSpecial(id),
    );
    for (const content of [
      token,
      `a${token}b`,
      `${token}${token}`,
      token.slice(0, -1),
      token.slice(1),
      `<|user|>${token}`,
    ]) {
      const ids = applyChatTemplate(tokenizer, [{ role: 'user', content }]);
      expect(ids.filter((id) => tokenizer.isSpecial(id))).toEqual(harmless);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toContain(content);
    }
  });

  it('encodes concealed text as encode does', () => {
    const content = 'The iron<|end|> is <|us';
    const ids = applyChatTemplate(own, [{ role: 'user', content }]);
    const [user, end] = ['<|user|>', '<|end|>'].map((token) => own.specialTokens.get(token)!);
    expect(ids).toEqual([user, ...own.encode(content), end]);
  });

  it('does not let neighbouring contents complete one another', () => {
    const glued = foreign('{% for m in messages %}{{ m.content | trim }}{% endfor %}');
    const ids = applyChatTemplate(glued, [
      { role: 'user', content: 'a <|en ' },
      { role: 'user', content: ' d|> b' },
    ]);
    expect(shown(glued, ids)).toBe('a <|end|> b');
  });

  it('tells its marks from characters of the template', () => {
    const template = foreign("{{ '\ue000' + messages[0].content }}");
    const ids = applyChatTemplate(template, [{ role: 'user', content: '<|end|>' }]);
    expect(ids).toEqual(template.encode('\ue000<|end|>'));
  });

  it('replaces lone surrogates', () => {
    const ids = applyChatTemplate(own, [{ role: 'user', content: 'a\ud800' }]);
    expect(own.decode(ids)).toBe('<|user|>a\ufffd<|end|>');
  });

  it('gives templates the variables that transformers gives them', () => {
    const probe = foreign(
      '{{ bos_token }} {{ eos_token }} {{ pad_token }} {{ unk_token is defined }} {{ tools is none }} ' +
        '{{ documents is none }} {{ add_generation_prompt }}',
    );
    expect(shown(probe, applyChatTemplate(probe, conversation))).toBe(
      '[<|endoftext|>] [<|end|>] [<|pad|>] false true true false',
    );
  });

  it.each([
    ['no messages', own, [], 'invalid-input', 'messages: there are none'],
    [
      'a role that there is not',
      own,
      [conversation[0]!, { role: 'robot' as 'tool', content: '' }],
      'invalid-input',
      'messages[1].role: "robot" is not a role; roles are system, user, assistant, tool',
    ],
    [
      'a content that is no text',
      own,
      [{ role: 'user', content: null as unknown as string }],
      'invalid-input',
      'messages[0].content: is not a text',
    ],
    [
      'a tokenizer without a template',
      new Tokenizer(own.definition),
      conversation,
      'failed-precondition',
      'chatTemplate: this tokenizer has none',
    ],
    [
      'a template that is none',
      foreign('{% if %}'),
      conversation,
      'invalid-input',
      'chatTemplate: Unexpected token: CloseStatement',
    ],
    [
      'a template that refuses the conversation',
      foreign("{{ raise_exception('the first message must be from the user') }}"),
      conversation,
      'invalid-input',
      'chatTemplate: the first message must be from the user',
    ],
    [
      'a template that cuts what must not be cut',
      foreign('{{ messages[0].content[1:] }}'),
      [{ role: 'user', content: '<|end|>' }],
      'invalid-input',
      'chatTemplate: cuts message contents in pieces',
    ],
  ] as [string, Tokenizer, ChatMessage[], string, string][])(
    'refuses %s',
    (_what, tokenizer, messages, code, message) => {
      expect(() => applyChatTemplate(tokenizer, messages)).toThrow(expect.objectContaining({ code, message }));
    },
  );
});

describe('encodeChat', () => {
  it.each([
    ['ours', own, ['It is.[<|end|>]', 'Wait.[<|end|>]']],
    ['ChatML', chatMl, ['It is.[<|im_end|>]', 'Wait.[<|im_end|>]']],
    ["Llama 3's", llama3, ['It is.[<|eot_id|>]', 'Wait.[<|eot_id|>]']],
    ['one that shows thoughts', thinking, ['It is.[<|im_end|>]', '<think>\n\n</think>\n\nWait.[<|im_end|>]']],
  ])('marks contents and closing tokens of answers under a template like %s', (_what, tokenizer, marked) => {
    expect(encodeChat(tokenizer, conversation).ids).toEqual(applyChatTemplate(tokenizer, conversation));
    expect(answers(tokenizer, conversation)).toEqual(marked);
  });

  it.each([own, chatMl, llama3, thinking])('has before each answer the ids of the prompt for it (%#)', (tokenizer) => {
    const messages = conversation.with(4, { role: 'assistant', content: '\n\n Wait' });
    const { ids, answerMask } = encodeChat(tokenizer, messages);
    const starts = answerMask.flatMap((isAnswer, i) => (isAnswer && !answerMask[i - 1] ? [i] : []));
    expect(starts).toHaveLength(2);
    const prompts = [2, 4].map((i) =>
      applyChatTemplate(tokenizer, messages.slice(0, i), { addGenerationPrompt: true }),
    );
    expect(starts.map((start) => ids.slice(0, start))).toEqual(prompts);
  });

  it('marks an answer that is empty, comes first, or has special tokens in it', () => {
    const messages: ChatMessage[] = [
      { role: 'assistant', content: '' },
      { role: 'assistant', content: 'a<|end|>b<|im_end|>' },
    ];
    expect(answers(own, messages.slice(0, 1))).toEqual(['[<|end|>]']);
    expect(answers(own, messages)).toEqual(['[<|end|>]', 'a<|end|>b<|im_end|>[<|end|>]']);
    expect(answers(chatMl, messages)).toEqual(['[<|im_end|>]', 'a<|end|>b<|im_end|>[<|im_end|>]']);
  });

  it('marks thoughts that a template moves about', () => {
    const content = '<think>\nHot?\n</think>\n\nWait.';
    expect(answers(thinking, [...conversation.slice(0, 2), { role: 'assistant', content }])).toEqual([
      '<think>\nHot?\n</think>\n\nWait.[<|im_end|>]',
    ]);
  });

  it('marks nothing where nobody answers', () => {
    expect(encodeChat(own, conversation.slice(0, 2)).answerMask).not.toContain(true);
  });

  it('ends an answer with its content where no closing token follows at once', () => {
    const plain = foreign(
      "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}" +
        "{{ 'assistant: ' if add_generation_prompt else eos_token }}",
    );
    expect(answers(plain, conversation)).toEqual(['It is.', 'Wait.\n[<|end|>]']);
  });

  it.each([
    [
      'prompts otherwise than it renders answers',
      "{% for m in messages %}{{ m.role + m.content }}{% endfor %}{% if add_generation_prompt %}{{ 'Answer:' }}{% endif %}",
      'chatTemplate: renders the prompt for messages[2] differently when the answer is there',
    ],
    [
      'leaves answers out',
      "{% for m in messages if m.role != 'assistant' %}{{ m.content }}{% endfor %}",
      'chatTemplate: does not render the content of messages[2] in one place',
    ],
    [
      'prompts with nothing',
      "{% if not add_generation_prompt %}{% for m in messages if m.role == 'assistant' %}{{ m.content }}{% endfor %}{% endif %}",
      'chatTemplate: does not render messages[4] after the answers before it',
    ],
    [
      'repeats answers in other words',
      '{% for m in messages %}{{ m.content }}{% endfor %}{% if not add_generation_prompt %}{{ messages[2].content | upper }}{% endif %}',
      'chatTemplate: does not render the content of messages[2] in one place',
    ],
  ])('refuses a template that %s', (_what, template, message) => {
    expect(() => encodeChat(foreign(template), conversation)).toThrow(
      expect.objectContaining({ code: 'invalid-input', message }),
    );
  });
});
