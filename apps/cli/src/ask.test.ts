/** `crucible ask`, as a process, before a server that answers as OpenAI's does. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder } from '@crucible/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { crucible, freePorts, startCrucible } from './testing/crucible.ts';

interface Body {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
}

const key = 'sk-secret-0123456789';

/** `answer` says what is written; undefined: nothing comes. */
async function serve(answer: (body: Body) => string | undefined): Promise<string> {
  const server = createServer((request: IncomingMessage, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      if (request.method !== 'POST') return void response.writeHead(404).end();
      if (request.headers.authorization !== `Bearer ${key}`)
        return void response
          .writeHead(401)
          .end(JSON.stringify({ error: { message: `no key like ${request.headers.authorization}` } }));
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const content = answer(JSON.parse(text) as Body);
      if (content === undefined) return void response.write(': wait\n\n');
      for (const choice of [{ delta: { content } }, { delta: {}, finish_reason: 'stop' }])
        response.write(`data: ${JSON.stringify({ choices: [choice] })}\n\n`);
      response.end(
        `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 10, completion_tokens: 5 } })}\n\ndata: [DONE]\n\n`,
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

function documents(): string {
  const folder = join(temporaryFolder(), 'pages');
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'dorka.md'),
    '# Dorka Porstrand\n\nShe was born in 1709.\nHer teacher is Monka Kalidas.\n',
  );
  writeFileSync(
    join(folder, 'Monka Kalidas.txt'),
    'Monka Kalidas is a printer. \u001b[31mHis birthplace is Teladal.\n',
  );
  return folder;
}

const env = { OPENAI_API_KEY: key };

function ask(url: string, ...args: readonly string[]) {
  return crucible(['--home', temporaryFolder(), 'ask', ...args, '--url', url], { env });
}

/** As a model of ReAct: one search after the other, then the end. */
function turns({ messages }: Body): string {
  const step = messages.filter(({ role }) => role === 'assistant').length;
  return [
    'Thought 1: first her.\nAction 1: Search[Dorka Porstrand]',
    'Thought 2: then him.\nAction 2: Search[monka kalidas]',
    'Thought 3: there.\nAction 3: Finish[Teladal]',
  ][step]!;
}

/** Each starts a command or two, on machines that may be busy. */
const timeout = 120_000;

describe('crucible ask', { timeout }, () => {
  it('prints the answer, and the trace beside it', async () => {
    const url = await serve(turns);
    const { code, stdout, stderr } = await ask(
      url,
      'Where',
      'was',
      'he',
      'born?',
      '--strategy',
      'react',
      '--documents',
      documents(),
    );
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Teladal\n' });
    const lines = stderr.split('\n');
    expect(lines.filter((line) => /^(does|sees|ends) /.test(line))).toEqual([
      'does    search {"title":"Dorka Porstrand"}',
      'sees    She was born in 1709. Her teacher is Monka Kalidas.',
      'does    search {"title":"monka kalidas"}',
      // What a terminal would obey is not for the terminal.
      'sees    Monka Kalidas is a printer. \ufffd[31mHis birthplace is Teladal.',
      'does    finish {"answer":"Teladal"}',
      expect.stringMatching(/^ends {4}3 calls, 30 \+ 15 tokens, [\d.]+ s$/) as string,
    ]);
    expect(lines).toContain('Thought 2: then him.');
  });

  it('prints every step as a line of JSON; the key is in none', async () => {
    const url = await serve(({ messages }) => (messages[0]!.content.startsWith('You') ? 'The answer is (B).' : '?'));
    const { code, stdout, stderr } = await ask(
      url,
      'Which?',
      '--strategy',
      'self-consistency',
      '--samples',
      '2',
      '--choices',
      'red, green',
      '--system',
      'You are a judge.',
      '--json',
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const steps = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; number: number; key?: string });
    expect(steps.map(({ number }) => number)).toEqual(steps.map((_, i) => i + 1));
    expect(steps.find(({ kind }) => kind === 'vote')).toMatchObject({ votes: [{ key: 'B', count: 2 }] });
    expect(steps.find(({ kind }) => kind === 'answer')).toMatchObject({ key: 'B', confidence: 1 });
    expect(stdout).not.toContain(key);
  });

  it('asks the services: their models, collections and tools; what has to be allowed is refused without a terminal', async () => {
    const url = await serve((body) =>
      body.messages.some(({ content }) => content.includes('calculate'))
        ? ['Thought 1: so.\nAction 1: Python[6 * 7]', 'Thought 2: no.\nAction 2: Finish[none]'][
            body.messages.filter(({ role }) => role === 'assistant').length
          ]
        : turns(body),
    );
    const home = temporaryFolder();
    const model = { url, key: '${OPENAI_API_KEY}', wording: 'general', nativeTools: false };
    writeFileSync(join(home, 'actor.json'), JSON.stringify({ models: { oracle: model }, approval: ['python'] }));
    const own = (...args: readonly string[]) => crucible(['--home', home, ...args], { env: { ...env, ...freePorts } });
    expect((await own('ingest', documents(), '--collection', 'people')).code).toBe(0);
    const react = ['--model', 'oracle', '--strategy', 'react'];
    const found = await own('ask', 'Where was he born?', ...react, '--collection', 'people');
    expect({ code: found.code, stdout: found.stdout }).toEqual({ code: 0, stdout: 'Teladal\n' });
    expect(found.stderr).toMatch(/^sees {4}.*His birthplace is Teladal/m);
    const refused = await own('ask', 'calculate', ...react, '--tool', 'python');
    expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 0, stdout: 'none\n' });
    expect(refused.stderr).toMatch(/^sees {4}.*nobody is at the terminal to allow it/m);
  });

  it.each([
    [['--strategy', 'rag'], 'crucible: --strategy rag searches texts: name some with --documents, or a --collection\n'],
    [
      ['--collection', 'a', '--strategy', 'rag', '--url', 'http://127.0.0.1:1/v1'],
      /^crucible: --collection is for the services, and --url does without them; /,
    ],
    [['--tool', 'python'], 'crucible: --tool: direct uses no tools; react does\n'],
    [
      ['--strategy', 'react', '--tool', 'fetch', '--pictures'],
      'crucible: --pictures: they are of what the browser shows; name it with --tool browser\n',
    ],
  ])('refuses %j before anything is started', async (args, message) => {
    const refused = await crucible(['--home', temporaryFolder(), 'ask', 'x', ...args]);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toMatch(message);
  });

  it('has another exit code where no answer came out', async () => {
    const url = await serve(() => 'I do not know.');
    const { code, stdout, stderr } = await ask(url, 'How many?', '--answer', 'number');
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'I do not know.\n' });
    expect(stderr).toMatch(/crucible: no answer came out\n$/);
  });

  it('says what is wrong with the server, without the key', async () => {
    const url = await serve(() => 'x');
    const wrong = await crucible(['--home', temporaryFolder(), 'ask', 'Hi', '--url', url], {
      env: { OPENAI_API_KEY: 'sk-wrong' },
    });
    expect(wrong).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(
        `crucible: ${url}/chat/completions: HTTP 401: no key like Bearer ***\n`,
      ) as string,
    });
    expect(wrong.stderr).not.toContain('sk-wrong');
  });

  it('ends when it is interrupted, and when its time is over', async () => {
    const url = await serve(() => undefined);
    const program = startCrucible(['--home', temporaryFolder(), 'ask', 'Hi', '--url', url], { env });
    await program.says(/^asks /m, 60_000);
    expect(await program.end('SIGINT', 30_000)).toMatchObject({ code: 130, stdout: '' });
    const late = await ask(url, 'Hi', '--seconds', '1');
    expect(late).toMatchObject({ code: 1, stdout: '' });
    expect(late.stderr).toMatch(/ends .*; ended by: time\ncrucible: no answer came out\n$/);
  });
});
