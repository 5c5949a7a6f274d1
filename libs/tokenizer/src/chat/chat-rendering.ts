import { CrucibleError, invalidInput } from '@crucible/foundation';
import { ownChatTemplate } from '../special-tokens.ts';
import type { Stretch } from '../added-tokens.ts';
import type { Tokenizer } from '../tokenizer.ts';
import { assertChatMessages, type ChatMessage } from './chat-message.ts';
import { Concealment, ConcealmentError, textsIn } from './concealment.ts';
import { JinjaTemplate, JinjaTemplateError } from './jinja-template.ts';
import { SpecialTokenParts } from './special-token-parts.ts';

/** What a template may be given beside the messages. All of it is plain data, and texts in it are plain text. */
export interface ChatTemplateOptions {
  /** Tools that the model may call, each a JSON schema as transformers takes it. Default: none. */
  readonly tools?: readonly object[];
  /** Documents to answer from. Default: none. */
  readonly documents?: readonly object[];
  /** Further variables, such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /**
   * Which of several templates of the folder. Default: `tool_use`, where there are tools and such a template; otherwise
   * the one without a name, which is also called `default`.
   */
  readonly template?: string;
}

/** One conversation and the chat template that renders it; message contents are concealed until they are encoded. */
export class ChatRendering {
  /** With concealed contents. */
  readonly messages: readonly ChatMessage[];
  readonly #tokenizer: Tokenizer;
  readonly #format: ChatFormat;
  readonly #concealment: Concealment;
  readonly #variables: Readonly<Record<string, unknown>>;

  constructor(tokenizer: Tokenizer, messages: readonly ChatMessage[], options: ChatTemplateOptions = {}) {
    assertChatMessages(messages);
    const { tools, documents, variables = {} } = options;
    const source = templateSource(tokenizer, options);
    this.#tokenizer = tokenizer;
    this.#format = formatOf(tokenizer, source);
    const { special, fixedTexts } = this.#format;
    const texts = [...fixedTexts, ...textsIn([messages, tools, documents, variables])];
    this.#concealment = explained(() => new Concealment(special, texts));
    this.messages = this.#concealment.concealAll(messages);
    this.#variables = this.#concealment.concealAll({
      tools: tools ?? null,
      documents: documents ?? null,
      ...variables,
    });
  }

  /** A content that occurs in no message. */
  get foreignContent(): string {
    return this.#concealment.foreignText;
  }

  render(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string {
    return explained(() =>
      this.#format.template.render({
        ...specialTokenVariables(this.#tokenizer),
        ...this.#variables,
        messages: messages.map(({ role, content, fields }) => ({ ...fields, role, content })),
        add_generation_prompt: addGenerationPrompt,
      }),
    );
  }

  /** The length of the special token, with white space before it, that `rest` begins with; 0 if it begins otherwise. */
  closingLength(rest: string): number {
    const [first] = this.#format.special.occurrences(rest);
    return first === undefined || rest.slice(0, first.start).trim() !== '' ? 0 : first.end;
  }

  /**
   * The ids of a rendering, special tokens of the template's, plain text of the messages': those of each part between
   * the `cuts`.
   */
  encode(rendered: string, cuts: readonly number[] = []): number[][] {
    const places: number[] = [];
    const plain: Stretch[] = [];
    let text = '';
    let done = 0;
    for (const cut of [...cuts, rendered.length]) {
      const revealed = explained(() => this.#concealment.reveal(rendered.slice(done, cut)));
      for (const { start, end } of revealed.plain) plain.push({ start: text.length + start, end: text.length + end });
      text += revealed.text;
      places.push(text.length);
      done = cut;
    }
    return this.#tokenizer.encodeParts(text, plain, places.slice(0, -1));
  }
}

/** Why this conversation and this template do not go together. */
export function chatTemplateError(message: string, cause?: unknown): CrucibleError {
  return invalidInput(`chatTemplate: ${message}`, { at: 'chatTemplate', cause });
}

function templateSource({ settings }: Tokenizer, { template, tools }: ChatTemplateOptions): string {
  const named = new Map(Object.entries(settings.namedChatTemplates ?? {}));
  if (settings.chatTemplate !== undefined) named.set('default', settings.chatTemplate);
  const source = named.get(template ?? (tools !== undefined && named.has('tool_use') ? 'tool_use' : 'default'));
  if (source !== undefined) return source;
  const names = [...named.keys()].map((name) => JSON.stringify(name)).join(', ');
  const message =
    names === ''
      ? 'this tokenizer has none'
      : `there is none with the name ${JSON.stringify(template ?? 'default')}; there are ${names}`;
  throw new CrucibleError('failed-precondition', `chatTemplate: ${message}`, { at: 'chatTemplate' });
}

function specialTokenVariables({ settings }: Tokenizer): Record<string, string> {
  const { bosToken, eosToken, padToken, unkToken, clsToken, sepToken, maskToken } = settings;
  return {
    ...(bosToken === undefined ? {} : { bos_token: bosToken }),
    ...(eosToken === undefined ? {} : { eos_token: eosToken }),
    ...(padToken === undefined ? {} : { pad_token: padToken }),
    ...(unkToken === undefined ? {} : { unk_token: unkToken }),
    ...(clsToken === undefined ? {} : { cls_token: clsToken }),
    ...(sepToken === undefined ? {} : { sep_token: sepToken }),
    ...(maskToken === undefined ? {} : { mask_token: maskToken }),
  };
}

/** What all conversations with one template of one tokenizer have in common. */
interface ChatFormat {
  readonly template: JinjaTemplate;
  readonly special: SpecialTokenParts;
  /** What a rendering has beside message contents. */
  readonly fixedTexts: readonly string[];
}

const formats = new WeakMap<Tokenizer, Map<string, ChatFormat>>();

function formatOf(tokenizer: Tokenizer, source: string): ChatFormat {
  const known = formats.get(tokenizer) ?? new Map<string, ChatFormat>();
  formats.set(tokenizer, known);
  let format = known.get(source);
  if (format === undefined) {
    format = {
      template: explained(() => new JinjaTemplate(source, { isTrusted: source === ownChatTemplate })),
      special: new SpecialTokenParts(tokenizer.definition.addedTokens.filter((token) => token.special)),
      fixedTexts: [source, ...tokenizer.specialTokens.keys()],
    };
    known.set(source, format);
  }
  return format;
}

function explained<T>(action: () => T): T {
  try {
    return action();
  } catch (reason) {
    if (reason instanceof JinjaTemplateError || reason instanceof ConcealmentError) {
      throw chatTemplateError(reason.message, reason);
    }
    throw reason;
  }
}
