import { CrucibleError, invalidInput } from '@crucible/foundation';
import { assertChatMessages } from './chat-message.ts';
import type { ChatMessage } from './chat-message.ts';
import { Concealment, ConcealmentError } from './concealment.ts';
import { JinjaTemplate, JinjaTemplateError } from './jinja-template.ts';
import type { Tokenizer } from './tokenizer.ts';

/** One conversation and the chat template that renders it; message contents are concealed until they are encoded. */
export class ChatRendering {
  /** With concealed contents. */
  readonly messages: readonly ChatMessage[];
  readonly #tokenizer: Tokenizer;
  readonly #template: JinjaTemplate;
  readonly #concealment: Concealment;

  constructor(tokenizer: Tokenizer, messages: readonly ChatMessage[]) {
    assertChatMessages(messages);
    const { chatTemplate } = tokenizer.settings;
    if (chatTemplate === undefined) {
      throw new CrucibleError('failed-precondition', 'chatTemplate: this tokenizer has none', { at: 'chatTemplate' });
    }
    this.#tokenizer = tokenizer;
    this.#template = compiled(tokenizer, chatTemplate);
    const contents = messages.map(({ content }) => content.toWellFormed());
    const special = tokenizer.definition.addedTokens.filter((token) => token.special);
    this.#concealment = explained(() => new Concealment(special, [chatTemplate, ...contents]));
    this.messages = messages.map(({ role }, i) => ({ role, content: this.#concealment.conceal(contents[i]!) }));
  }

  /** A content that occurs in no message. */
  get foreignContent(): string {
    return this.#concealment.foreignText;
  }

  render(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string {
    const { bosToken, eosToken, padToken, unkToken } = this.#tokenizer.settings;
    return explained(() =>
      this.#template.render({
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
    const [first] = this.#concealment.specialTokensIn(rest);
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

const templates = new WeakMap<Tokenizer, JinjaTemplate>();

function compiled(tokenizer: Tokenizer, source: string): JinjaTemplate {
  let template = templates.get(tokenizer);
  if (template === undefined) {
    template = explained(() => new JinjaTemplate(source));
    templates.set(tokenizer, template);
  }
  return template;
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
