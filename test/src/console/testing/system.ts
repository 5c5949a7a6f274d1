/**
 * What the console talks to: every service, real, and a page in a real Chromium. The model that acts is scripted, and
 * speaks OpenAI's API from a server of its own.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createActorService, parseActorConfig } from '@crucible/actor-service';
import { createBus } from '@crucible/bus';
import { ensureConsole } from '@crucible/console';
import { createGatewayService, type GatewayDependencies } from '@crucible/gateway';
import { TrainerService } from '@crucible/protos/trainer/v1';
import { createRetrieverService } from '@crucible/retriever';
import { createClient } from '@crucible/rpc';
import { createSandboxService } from '@crucible/sandbox-service';
import { createLogger, type Service } from '@crucible/service';
import { createTrainerService } from '@crucible/trainer';
import { startTinyPolicy } from '../../testing/tiny-policy.ts';

export interface ConsoleSystem {
  /** Of the gateway, which serves the page. */
  readonly url: string;
  readonly home: string;
  /** Of a page that the browser of the actor may open. */
  readonly pageUrl: string;
  /** Another gateway before the same services. */
  readonly startGateway: (options?: Partial<GatewayDependencies>) => Promise<Service>;
  /** Answers of the scripted model that are under way. */
  readonly modelCalls: () => number;
  readonly close: () => Promise<void>;
}

interface Message {
  readonly role: string;
  readonly content: string;
}

/** Everything that a model may try on a page. */
const hostileText = [
  '<img src="x" onerror="document.title=\'owned\'"><script>document.title="owned"</script>',
  '[click](javascript:document.title=1) [data](data:text/html,x) ![picture](https://evil.example/x.png)',
  '\u202eesrever\u202c \u2066isolated\u2069 <svg/onload=document.title=1> <iframe src="//evil.example"></iframe>',
].join('\n\n');

/** What the scripted model writes, by the question and the turn. An array comes word by word, slowly. */
function script(messages: readonly Message[]): string | readonly string[] {
  const asked = messages.map(({ content }) => content).join('\n');
  const turn = messages.filter(({ role }) => role === 'assistant').length;
  if (/count to/i.test(asked)) return Array.from({ length: 1000 }, (_, i) => `${i + 1} `);
  if (/be hostile/i.test(asked)) return hostileText;
  if (asked.includes('64422')) return '```python\ndef solution():\n    return 64422 / 4\n```';
  if (/multiply/i.test(asked))
    return (
      [
        'Thought 1: a program can do it.\nAction 1: Python[print(6 * 7)  # \u202etxet]',
        'Thought 2: so be it.\nAction 2: Finish[I could not run it.]',
      ][turn] ?? ''
    );
  const [, pageUrl] = /look at (\S+)/i.exec(asked) ?? [];
  if (pageUrl !== undefined)
    return (
      [
        `Thought 1: I open it.\nAction 1: browser_open[${pageUrl}]`,
        'Thought 2: a picture says more.\nAction 2: browser_screenshot[]',
        'Thought 3: that is it.\nAction 3: Finish[A page about tea.]',
      ][turn] ?? ''
    );
  if (messages.at(-1)?.content.includes('Observation 2') === true || turn === 2)
    return ['Thought 3: that ', ...Array<string>(20).fill('really '), 'is it.\n', 'Action 3: ', 'Finish[75 degrees]'];
  if (turn === 1) return 'Thought 2: the page speaks of tea, I look for the degrees.\nAction 2: Lookup[degrees]';
  if (asked.includes('Thought')) return 'Thought 1: I search for tea.\nAction 1: Search[Tea]';
  return 'Green tea is steeped at **75 degrees** for two minutes [1].';
}

async function startModel(): Promise<{ url: string; calls: () => number; close: () => void }> {
  let calls = 0;
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/html' });
      return void response.end('<title>Tea</title><h1>Tea</h1><p>Water of 75 degrees.</p>');
    }
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => void answer());
    const answer = async (): Promise<void> => {
      calls++;
      response.on('close', () => calls--);
      const content = script((JSON.parse(text) as { messages: Message[] }).messages);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const send = (choice: object): boolean => response.write(`data: ${JSON.stringify({ choices: [choice] })}\n\n`);
      for (const piece of typeof content === 'string' ? (content.match(/[\s\S]{1,12}/g) ?? []) : content) {
        if (response.destroyed) return;
        send({ index: 0, delta: { content: piece } });
        await delay(typeof content === 'string' ? 20 : 50);
      }
      send({ index: 0, delta: {}, finish_reason: 'stop' });
      const usage = { prompt_tokens: 100, completion_tokens: 20 };
      response.end(`data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`);
    };
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    calls: () => calls,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const cache = fileURLToPath(new URL('../../../../node_modules/.cache/crucible-sandbox', import.meta.url));

export async function startConsoleSystem(): Promise<ConsoleSystem> {
  const log = createLogger('test', 'silent');
  const home = mkdtempSync(join(tmpdir(), 'crucible-console-'));
  const common = { log, host: '127.0.0.1', port: 0 };
  const folder = await ensureConsole();
  const bus = await createBus('embedded:');
  const policy = await startTinyPolicy(log);
  const model = await startModel();
  const retriever = await createRetrieverService({ ...common, bus, home, store: join(home, 'knowledge') });
  const sandbox = await createSandboxService({ ...common, bus: undefined, cache, concurrency: 1, queue: 4 });
  const trainer = await createTrainerService({ ...common, bus, home });
  const { host, origin } = new URL(model.url);
  const models = { oracle: { url: model.url, wording: 'general', nativeTools: false } };
  const actor = await createActorService({
    ...common,
    bus,
    home,
    config: parseActorConfig(
      JSON.stringify({ models, approval: ['python'], network: { addresses: [host] } }),
      'test',
      {},
    ),
    policyTarget: policy.target,
    retrieverTarget: retriever.target,
    sandboxTarget: sandbox.target,
  });
  const startGateway = (options: Partial<GatewayDependencies> = {}): Promise<Service> =>
    createGatewayService({
      ...common,
      policyTarget: policy.target,
      retrieverTarget: retriever.target,
      sandboxTarget: sandbox.target,
      trainerTarget: trainer.target,
      actorTarget: actor.target,
      console: folder,
      ...options,
    });
  const gateway = await startGateway();
  await submitJob(trainer.target, home);
  return {
    url: `http://${gateway.target}`,
    home,
    pageUrl: `${origin}/tea`,
    startGateway,
    modelCalls: model.calls,
    close: async () => {
      await gateway.close(0);
      await Promise.all([actor, retriever, sandbox, trainer].map((service) => service.close(1000)));
      await policy.close();
      await bus.close();
      model.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** A short pre-training, whose curves the forge page draws. */
async function submitJob(target: string, home: string): Promise<void> {
  const corpus = join(home, 'corpus.txt');
  writeFileSync(corpus, Array.from({ length: 200 }, (_, i) => `Line ${i} says ${i * 7}.\n`).join(''));
  const client = createClient(TrainerService, target, { deadlineMs: 30_000 });
  const value = { name: 'base', preset: 'smoke', seed: 1, corpusUris: [corpus], options: { steps: 20 } };
  await client.submitJob({ jobId: 'first', spec: { kind: { case: 'pretrain', value } } });
  client.close();
}
