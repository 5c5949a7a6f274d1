/** The API that chats and questions go to, and the model behind it. */
import { createOpenAiModel } from '@crucible/chat-models';
import type { ModelRegistry } from '@crucible/checkpoint';
import { CrucibleError } from '@crucible/foundation';
import type { ChatModel, Wording } from '@crucible/prompting';
import type { Settings } from '@crucible/service';
import { applyChatTemplate, loadTokenizer } from '@crucible/tokenizer';
import { host } from './hosting.ts';
import { registryOf } from './registry.ts';
import { findRunning } from './run-file.ts';

export interface ChatApi extends AsyncDisposable {
  /** Without a slash at its end. */
  readonly url: string;
  /** Where the models lie that it serves, if they lie in our home. */
  readonly registry?: ModelRegistry;
}

/** The given URL; or that of a running `crucible up`; or one that is served for the occasion. */
export async function openChatApi(settings: Settings, url: string | undefined): Promise<ChatApi> {
  const nothing = (): Promise<void> => Promise.resolve();
  if (url !== undefined) return { url: url.replace(/\/+$/, ''), [Symbol.asyncDispose]: nothing };
  const running = findRunning(settings.home);
  const registry = registryOf(settings);
  if (running) return { url: `http://${running.gateway}/v1`, registry, [Symbol.asyncDispose]: nothing };
  if (registry.names().length === 0) {
    throw new CrucibleError('failed-precondition', 'there are no models yet; `crucible forge` makes some');
  }
  const own: Settings = {
    ...settings,
    bus: 'embedded:',
    // Those of services that do not run are where the gateway would look for them.
    ports: { ...settings.ports, gateway: 0, policy: 0 },
  };
  const hosted = await host(own, ['policy', 'gateway'], 'error');
  return {
    url: `http://${hosted.services.gateway!.target}/v1`,
    registry,
    [Symbol.asyncDispose]: () => hosted.close(1000),
  };
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
export async function describedModel(
  { url, registry }: ChatApi,
  model: string,
  wording: Wording | undefined,
): Promise<ChatModel & { readonly label: string }> {
  const own = await ownModel(url, model);
  const isForged = own?.stage !== 'import';
  if (own === undefined) return { ...chatModelAt(url, model, wording === undefined ? {} : { wording }), label: model };
  const described = chatModelAt(url, model, {
    // What was made elsewhere has not learned our formats.
    wording: wording ?? (isForged ? 'forged' : 'general'),
    contextTokens: own.context_length,
    // Our vocabularies are small: of books such a token has 2.3 bytes.
    ...(isForged && { bytesPerToken: 2 }),
    plainToolMessages: true,
    nativeTools: false,
    mostSamples: 16,
  });
  const countTokens = registry && tokenCounter(registry, own);
  return { ...described, ...(countTokens && { countTokens }), label: `${own.name}@${own.version}` };
}

/** Of prompts, exactly; undefined where the tokenizer does not lie in the registry, as that of an adapter. */
function tokenCounter(registry: ModelRegistry, { name, version }: OwnModel): ChatModel['countTokens'] {
  try {
    const tokenizer = loadTokenizer(registry.resolve(`${name}@${version}`).folder);
    return (messages) => {
      const plain = messages.map(({ role, content }) => ({ role, content }));
      return applyChatTemplate(tokenizer, plain, { addGenerationPrompt: true }).length;
    };
  } catch {
    return undefined;
  }
}

interface OwnModel {
  /** What the name stands for: `crucible` is whatever is newest. */
  readonly name: string;
  readonly stage: string;
  readonly version: number;
  readonly context_length: number;
}

interface Entry extends Omit<OwnModel, 'name'> {
  readonly id: string;
  readonly owned_by: string;
  readonly created: number;
}

async function ownModel(url: string, model: string): Promise<OwnModel | undefined> {
  try {
    const key = process.env['OPENAI_API_KEY'];
    const response = await fetch(`${url}/models`, {
      headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(describeDeadline),
      redirect: 'error',
    });
    const { data } = (await response.json()) as { readonly data: readonly Entry[] };
    const entry = data.find(({ id }) => id === model);
    if (entry?.owned_by !== 'crucible' || typeof entry.context_length !== 'number') return undefined;
    const { stage, version, created } = entry;
    const isNamed = (other: Entry): boolean =>
      other.id !== model && other.stage === stage && other.version === version && other.created === created;
    return { ...entry, name: data.find(isNamed)?.id ?? model };
  } catch {
    // The question itself will say what is wrong.
    return undefined;
  }
}
