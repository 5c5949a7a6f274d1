import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { CrucibleError, type ErrorCode, invalidInput } from '@crucible/foundation';
import type { Settings } from '@crucible/service';
import { note, printJson, settingsFor } from '../context.ts';
import { host } from '../hosting.ts';
import { registryOf } from '../registry.ts';
import { findRunning } from '../run-file.ts';
import { parseCount } from '../stage-options.ts';
import { styled } from '../terminal/format.ts';

interface ChatOptions {
  readonly model: string;
  readonly system?: string;
  readonly temperature: string;
  readonly maxTokens?: number;
  readonly url?: string;
  readonly json?: true;
}

interface Message {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** Talks to a model: of a running `crucible up`, of any OpenAI-compatible URL, or loaded for the occasion. */
export function chatCommand(): Command {
  return new Command('chat')
    .argument('[message...]', 'one message to answer; without it, a conversation begins')
    .option('--model <name>', 'the model', 'crucible')
    .option('--system <text>', 'a system message')
    .option('--temperature <number>', '0 takes the likeliest answer, up to 2', '0')
    .option('--max-tokens <number>', 'longest answer', parseCount)
    .option('--url <url>', 'an OpenAI-compatible API, as http://localhost:8080/v1 (key: $OPENAI_API_KEY)')
    .option('--json', 'print the answer to one message as JSON')
    .action(async (words: readonly string[], options: ChatOptions, command: Command) => {
      const temperature = Number(options.temperature);
      if (!(temperature >= 0 && temperature <= 2)) {
        throw invalidInput(`--temperature ${options.temperature}: it must be a number from 0 to 2`, {
          at: '--temperature',
        });
      }
      await using api = await openApi(settingsFor(command), options.url);
      const ask = (messages: readonly Message[], onText: (text: string) => void): Promise<string> =>
        streamAnswer(api.url, { messages, temperature, model: options.model, maxTokens: options.maxTokens }, onText);
      const system: Message[] = options.system === undefined ? [] : [{ role: 'system', content: options.system }];
      if (words.length > 0) await answerOnce([...system, { role: 'user', content: words.join(' ') }], ask, options);
      else await converse(system, ask);
    });
}

type Ask = (messages: readonly Message[], onText: (text: string) => void) => Promise<string>;

async function answerOnce(messages: readonly Message[], ask: Ask, { json, model }: ChatOptions): Promise<void> {
  const answer = await ask(messages, (text) => (json ? undefined : process.stdout.write(text)));
  if (json) printJson({ model, answer });
  else process.stdout.write('\n');
}

async function converse(system: readonly Message[], ask: Ask): Promise<void> {
  note(styled('dim', 'An empty line or Ctrl-D ends the conversation; /new begins a new one.'));
  const input = createInterface({ input: process.stdin, output: process.stderr });
  let messages = [...system];
  try {
    for (;;) {
      const text = (await input.question(styled('bold', 'you> '))).trim();
      if (text === '') return;
      if (text === '/new') {
        messages = [...system];
        continue;
      }
      messages.push({ role: 'user', content: text });
      try {
        const answer = await ask(messages, (part) => process.stdout.write(part));
        process.stdout.write('\n');
        messages.push({ role: 'assistant', content: answer });
      } catch (reason) {
        messages.pop();
        note(CrucibleError.from(reason).message);
      }
    }
  } catch (reason) {
    // Ctrl-D while a line is waited for
    if ((reason as NodeJS.ErrnoException).code !== 'ABORT_ERR') throw reason;
  } finally {
    input.close();
  }
}

interface Api extends AsyncDisposable {
  readonly url: string;
}

async function openApi(settings: Settings, url: string | undefined): Promise<Api> {
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
    ports: { gateway: 0, policy: 0, reward: 0, trainer: 0, retriever: 0 },
  };
  const hosted = await host(own, ['policy', 'gateway'], 'error');
  return { url: `http://${hosted.services.gateway!.target}/v1`, [Symbol.asyncDispose]: () => hosted.close(1000) };
}

interface ChatCall {
  readonly model: string;
  readonly messages: readonly Message[];
  readonly temperature: number;
  readonly maxTokens: number | undefined;
}

/** Statuses that say that the question was wrong, not the server. */
const codes: Readonly<Record<number, ErrorCode>> = { 400: 'invalid-input', 404: 'not-found' };

/** Milliseconds until the first byte must have come. */
const connectDeadline = 60_000;

async function streamAnswer(
  url: string,
  { model, messages, temperature, maxTokens }: ChatCall,
  onText: (text: string) => void,
): Promise<string> {
  const key = process.env['OPENAI_API_KEY'];
  const response = await fetch(`${url}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) },
    body: JSON.stringify({
      model,
      messages,
      temperature,
      stream: true,
      ...(maxTokens !== undefined && { max_tokens: maxTokens }),
    }),
    signal: AbortSignal.timeout(connectDeadline),
  }).catch((reason: unknown) => {
    throw new CrucibleError('unavailable', `${url} cannot be reached: ${(reason as Error).message}`, { cause: reason });
  });
  if (!response.ok) throw new CrucibleError(codes[response.status] ?? 'failed-precondition', await errorText(response));
  let answer = '';
  for await (const data of serverSentEvents(response)) {
    const event = JSON.parse(data) as { choices?: { delta?: { content?: string } }[]; error?: { message: string } };
    if (event.error) throw new CrucibleError('unavailable', event.error.message);
    const text = event.choices?.[0]?.delta?.content ?? '';
    answer += text;
    if (text !== '') onText(text);
  }
  return answer;
}

async function errorText(response: Response): Promise<string> {
  const text = await response.text();
  try {
    return (JSON.parse(text) as { error: { message: string } }).error.message;
  } catch {
    return `HTTP ${response.status}: ${text.slice(0, 200)}`;
  }
}

/** The data of server-sent events, up to `[DONE]`. */
async function* serverSentEvents(response: Response): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      if (!line.startsWith('data:')) continue;
      const data = line.slice('data:'.length).trim();
      if (data === '[DONE]') return;
      yield data;
    }
  }
}
