import { CrucibleError, invalidInput } from '@crucible/foundation';
import { assertChatMessages } from './chat-message.ts';
import type { ChatMessage } from './chat-message.ts';
import { Concealment, ConcealmentError } from './concealment.ts';
import { JinjaTemplate, JinjaTemplateError } from './jinja-template.ts';
import { SpecialTokenParts } from './special-token-parts.ts';
import type { Tokenizer } from './tokenizer.ts';

/** One conversation and the chat template that renders it; message contents are concealed until they are encoded. */
export class ChatRendering {
  /** With concealed contents. */
  readonly messages: readonly ChatMessage[];
  readonly #tokenizer: Tokenizer;
  readonly #format: ChatFormat;
  readonly #concealment: Concealment;

  constructor(tokenizer: Tokenizer, messages: readonly ChatMessage[]) {
    assertChatMessages(messages);
    this.#tokenizer = tokenizer;
    this.#format = formatOf(tokenizer);
    const { special, fixedTexts } = this.#format;
    const texts = [...fixedTexts, ...messages.map(({ content }) => content)];
    this.#concealment = explained(() => new Concealment(special, texts));
    this.messages = messages.map(({ role, content }) => ({ role, content: this.#concealment.conceal(content) }));
  }

  /** A content that occurs in no message. */
  get foreignContent(): string {
    return this.#concealment.foreignText;
  }

  render(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string {
    const { bosToken, eosToken, padToken, unkToken } = this.#tokenizer.settings;
    return explained(() =>
      this.#format.template.render({
        messages,
        add_generation_prompt: addGenerationPrompt,
        tools: null,
        documents: null,
        ...(bosToken === undefined ? {} : { bos_token: bosToken }),
        ...(eosToken === undefined ? {} : { eos_token: eosToken }),
        ...(padToken === undefined ? {} : { pad_token: padToken }),
        ...(unkToken === undefined ? {} : { unk_token: unkToken }),
      }),
    );
  }

  /** The length of the special token, with white space before it, that `rest` begins with; 0 if it begins otherwise. */
  closingLength(rest: string): number {
    const [first] = this.#format.special.occurrences(rest);
    return first === undefined || rest.slice(0, first.start).trim() !== '' ? 0 : first.end;
  }

  /** The ids of a rendering, or of a part of it: special tokens of the template's, plain text of the messages'. */
  encode(rendered: string): number[] {
    return this.#tokenizer
      .splitAtSpecialTokens(rendered)
      .flatMap((part) =>
        typeof part === 'number' ? part : this.#tokenizer.encode(explained(() => this.#concealment.reveal(part))),
      );
  }
}

/** Why this conversation and this template do not go together. */
export function chatTemplateError(message: string, cause?: unknown): CrucibleError {
  return invalidInput(`chatTemplate: ${message}`, { at: 'chatTemplate', cause });
}

/** What all conversations with one tokenizer have in common. */
interface ChatFormat {
  readonly template: JinjaTemplate;
  readonly special: SpecialTokenParts;
  /** What a rendering has beside message contents. */
  readonly fixedTexts: readonly string[];
}

const formats = new WeakMap<Tokenizer, ChatFormat>();

function formatOf(tokenizer: Tokenizer): ChatFormat {
  const known = formats.get(tokenizer);
  if (known !== undefined) return known;
  const { chatTemplate } = tokenizer.settings;
  if (chatTemplate === undefined) {
    throw new CrucibleError('failed-precondition', 'chatTemplate: this tokenizer has none', { at: 'chatTemplate' });
  }
  const format = {
    template: explained(() => new JinjaTemplate(chatTemplate)),
    special: new SpecialTokenParts(tokenizer.definition.addedTokens.filter((token) => token.special)),
    fixedTexts: [chatTemplate, ...tokenizer.specialTokens.keys()],
  };
  formats.set(tokenizer, format);
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
