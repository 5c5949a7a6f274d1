import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { ChatModel, ChatRequest } from '@crucible/prompting';
import { chatModelAt, openChatApi } from '../chat-api.ts';
import { note, printJson, settingsFor } from '../context.ts';
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
      await using api = await openChatApi(settingsFor(command), options.url);
      const model = chatModelAt(api.url, options.model, { retries: 0 });
      const { maxTokens } = options;
      const ask = (messages: readonly Message[], onText: (text: string) => void): Promise<string> =>
        streamAnswer(model, { messages, temperature, ...(maxTokens !== undefined && { maxTokens }) }, onText);
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

async function streamAnswer(
  model: ChatModel,
  request: Omit<ChatRequest, 'signal'>,
  onText: (text: string) => void,
): Promise<string> {
  let answer = '';
  for await (const event of model.generate({ ...request, signal: new AbortController().signal })) {
    if (event.kind !== 'text') continue;
    answer += event.text;
    onText(event.text);
  }
  return answer;
}
