/** The API that chats and questions go to, and the model behind it. */
import { createOpenAiModel } from '@crucible/chat-models';
import { CrucibleError } from '@crucible/foundation';
import type { ChatModel, Wording } from '@crucible/prompting';
import type { Settings } from '@crucible/service';
import { host } from './hosting.ts';
import { registryOf } from './registry.ts';
import { findRunning } from './run-file.ts';

export interface ChatApi extends AsyncDisposable {
  /** Without a slash at its end. */
  readonly url: string;
}

/** The given URL; or that of a running `crucible up`; or one that is served for the occasion. */
export async function openChatApi(settings: Settings, url: string | undefined): Promise<ChatApi> {
  const nothing = (): Promise<void> => Promise.resolve();
  if (url !== undefined) return { url: url.replace(/\/+$/, ''), [Symbol.asyncDispose]: nothing };
  const running = findRunning(settings.home);
  if (running) return { url: `http://${running.gateway}/v1`, [Symbol.asyncDispose]: nothing };
  if (registryOf(settings).names().length === 0) {
    throw new CrucibleError('failed-precondition', 'there are no models yet; `crucible forge` makes some');
  }
  const own: Settings = {
    ...settings,
    bus: 'embedded:',
    ports: { gateway: 0, policy: 0, reward: 0, trainer: 0, retriever: 0, sandbox: 0, actor: 0 },
  };
  const hosted = await host(own, ['policy', 'gateway'], 'error');
  return { url: `http://${hosted.services.gateway!.target}/v1`, [Symbol.asyncDispose]: () => hosted.close(1000) };
}

export function chatModelAt(
  url: string,
  model: string,
  more: Partial<Parameters<typeof createOpenAiModel>[0]> = {},
): ChatModel {
  const key = process.env['OPENAI_API_KEY'];
  return createOpenAiModel({ url, model, ...(key !== undefined && { key }), ...more });
}

/** Milliseconds for finding out what kind of server it is. */
const describeDeadline = 5000;

/** A model as strategies need it: one of our gateway's is known to them, of others the least is supposed. */
export async function describedModel(url: string, model: string, wording: Wording | undefined): Promise<ChatModel> {
  const own = await ownModel(url, model);
  const isForged = own?.stage !== 'import';
  if (own === undefined) return chatModelAt(url, model, wording === undefined ? {} : { wording });
  return chatModelAt(url, model, {
    // What was made elsewhere has not learned our formats.
    wording: wording ?? (isForged ? 'forged' : 'general'),
    contextTokens: own.context_length,
    // Our vocabularies are small: of books such a token has 2.3 bytes.
    ...(isForged && { bytesPerToken: 2 }),
    plainToolMessages: true,
    nativeTools: false,
    mostSamples: 16,
  });
}

interface OwnModel {
  readonly stage: string;
  readonly context_length: number;
}

async function ownModel(url: string, model: string): Promise<OwnModel | undefined> {
  try {
    const key = process.env['OPENAI_API_KEY'];
    const response = await fetch(`${url}/models/${encodeURIComponent(model)}`, {
      headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(describeDeadline),
      redirect: 'error',
    });
    const body = (await response.json()) as Partial<OwnModel> & { readonly owned_by?: string };
    return body.owned_by === 'crucible' && typeof body.context_length === 'number' ? (body as OwnModel) : undefined;
  } catch {
    // The question itself will say what is wrong.
    return undefined;
  }
}
