/** What the actor adds to the time of its model, a snapshot of the browser, and many runs at a time. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRun, type RunSpec } from '@crucible/actor';
import { createActorService, parseActorConfig } from '@crucible/actor-service';
import { createBus } from '@crucible/bus';
import { type ServedRequest, startScriptedServer } from '@crucible/chat-models/testing';
import { ModelRegistry, saveModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { initLanguageModel } from '@crucible/nn';
import { createPolicyService } from '@crucible/policy';
import type { EndReason } from '@crucible/prompting';
import { ActorService } from '@crucible/protos/actor/v1';
import { RetrieverService } from '@crucible/protos/retriever/v1';
import { createRetrieverService } from '@crucible/retriever';
import { type Client, createClient } from '@crucible/rpc';
import { createSandboxService } from '@crucible/sandbox-service';
import { createLogger, type Service } from '@crucible/service';
import { tinyLlamaConfig } from '@crucible/testing';
import { saveTokenizer, trainBpe } from '@crucible/tokenizer';
import { chromiumMissing, createBrowser, createBrowserTools, findChromium, NetworkGuard } from '@crucible/tools';
import type { Benchmark } from './benchmark.ts';
import { medianOf } from './median.ts';

const turns = 7;
const measuredRuns = 15;
const concurrent = 50;
const snapshots = 40;
const longest = 240_000;

/** Of the model, before each piece of an answer. */
const pieceMs = 10;

const pages = 200;
const question = 'Which page is the last?';

export const actor: Benchmark<'overhead_ms_per_step' | 'browser_snapshot_p50_ms' | 'concurrent_runs'> = {
  description: 'runs of the actor over its services: time beside that of the model, a browser, and many runs at a time',
  metrics: {
    overhead_ms_per_step: {
      meaning: `a turn of ReAct with a search, without the model's own time, median of ${measuredRuns} runs`,
      unit: 'ms',
    },
    browser_snapshot_p50_ms: { meaning: 'a snapshot of a page of 300 elements as the model is shown it', unit: 'ms' },
    concurrent_runs: { meaning: `of ${concurrent} runs at a time those that came to their end`, unit: 'count' },
  },
  run: async (report) => {
    await using system = await startSystem();
    const overheads: number[] = [];
    for (let i = 0; i < measuredRuns; i++) {
      const before = system.modelMs();
      const begun = performance.now();
      const { reason, actions } = await finish(system.client, scripted(`overhead-${i}`));
      if (reason !== 'finished' || actions !== turns) throw new Error(`internal: ${reason} after ${actions} actions`);
      overheads.push((performance.now() - begun - (system.modelMs() - before)) / turns);
    }
    report(`overhead: ${overheads.map((ms) => ms.toFixed(1)).join(', ')} ms a turn`);

    const begun = performance.now();
    const specs = Array.from({ length: concurrent }, (_, i) => specOf(i));
    const results = await Promise.allSettled(specs.map((spec) => finish(system.client, spec)));
    const finished = results.filter((result) => result.status === 'fulfilled' && result.value.reason === 'finished');
    report(`${finished.length} of ${concurrent} runs in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
    for (const result of results) if (result.status === 'rejected') report(String(result.reason));

    const snapshot = findChromium() === undefined ? null : await medianSnapshot();
    return {
      overhead_ms_per_step: medianOf(overheads),
      browser_snapshot_p50_ms: snapshot,
      concurrent_runs: finished.length,
      ...(snapshot === null && { note: chromiumMissing }),
    };
  },
};

/** ReAct over the retriever, with a model that knows what to do. */
function scripted(runId: string): RunSpec {
  const knowledge = { collection: 'pages' };
  return { runId, strategy: 'react', model: 'scripted', question, knowledge, react: { maxSteps: turns + 1 } };
}

/** All kinds of runs in turn: over the scripted model, and over the policy. */
function specOf(i: number): RunSpec {
  const runId = `concurrent-${i}`;
  const sampling = { maxTokens: 24, seed: i };
  const policy = { runId, model: 'chat', question: 'is the iron hot?', sampling };
  switch (i % 5) {
    case 0:
      return { ...policy, strategy: 'step-by-step' };
    case 1:
      return { ...policy, strategy: 'rag', knowledge: { collection: 'pages' } };
    case 2:
      return { ...policy, strategy: 'pal' };
    default:
      return scripted(runId);
  }
}

async function finish(
  client: Client<typeof ActorService>,
  spec: RunSpec,
): Promise<{ readonly reason: EndReason | 'none'; readonly actions: number }> {
  let reason: EndReason | 'none' = 'none';
  let actions = 0;
  for await (const event of openRun(client, spec, { deadlineMs: longest })) {
    if (event.kind !== 'step') continue;
    if (event.step.kind === 'observation') actions++;
    if (event.step.kind === 'end') ({ reason } = event.step);
  }
  return { reason, actions };
}

/** What `crucible up` has, with its embedded bus on the disk. */
async function startSystem() {
  const home = mkdtempSync(join(tmpdir(), 'crucible-bench-actor-'));
  const bus = await createBus(`embedded:${join(home, 'bus')}`);
  const log = createLogger('bench', 'error');
  const common = { bus, log, host: '127.0.0.1', port: 0 };
  const model = await startScriptedServer((request) => ({ text: answerTo(request), delayMs: pieceMs }));
  const registry = new ModelRegistry(join(home, 'models'));
  await addModel(registry);
  const policy = await createPolicyService({ ...common, source: registry });
  const retriever = await createRetrieverService({ ...common, home, store: join(home, 'knowledge') });
  const sandbox = await createSandboxService({ ...common });
  const service = await createActorService({
    ...common,
    home,
    policyTarget: policy.target,
    retrieverTarget: retriever.target,
    sandboxTarget: sandbox.target,
    config: parseActorConfig(JSON.stringify({ models: { scripted: { url: model.url } } }), 'bench'),
  });
  await ingest(retriever);
  const client = createClient(ActorService, service.target, { deadlineMs: longest });
  return {
    client,
    modelMs: () => model.answeringMs,
    [Symbol.asyncDispose]: async () => {
      client.close();
      for (const each of [service, policy, retriever, sandbox]) await each.close(1000);
      await model[Symbol.asyncDispose]();
      await bus.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function answerTo({ messages }: ServedRequest): string {
  const turn = messages.filter(({ role }) => role === 'assistant').length + 1;
  const action = turn > turns ? `Finish[Page ${pages}]` : `Search[Page ${turn * 7}]`;
  return `Thought ${turn}: The page that I need next is clear.\nAction ${turn}: ${action}`;
}

async function ingest(retriever: Service): Promise<void> {
  using client = createClient(RetrieverService, retriever.target, { deadlineMs: longest });
  const rows = Array.from({ length: pages }, (_, i) =>
    JSON.stringify({ id: String(i), title: `Page ${i}`, text: `This is page ${i}. It speaks of iron and forges.` }),
  );
  await client.ingest(
    (async function* () {
      yield await Promise.resolve({
        part: { case: 'header' as const, value: { collection: 'pages', name: 'pages.jsonl' } },
      });
      yield { part: { case: 'content' as const, value: Buffer.from(rows.join('\n')) } };
    })(),
  );
}

/** As small as it can be: its answers are noise. */
async function addModel(registry: ModelRegistry): Promise<void> {
  const tokenizer = await trainBpe(['the iron is hot, and so is the forge. '.repeat(20)], { vocabSize: 290 });
  const config = { ...tinyLlamaConfig, vocabularySize: tokenizer.vocabSize, maxPositions: 2048 };
  const weights = initLanguageModel(config, Random.seeded(1));
  const description = { name: 'chat', stage: 'sft', kind: 'language', step: 1, finished: true, metrics: {} } as const;
  await registry.publish(description, (path) => {
    saveModel(path, { kind: 'language', config, weights }, { bos: 0, eos: [1], pad: 1 });
    saveTokenizer(tokenizer, path);
  });
}

async function medianSnapshot(): Promise<number> {
  const items = Array.from(
    { length: 100 },
    (_, i) => `<li><a href="/${i}">Link ${i}</a> <button>Do ${i}</button></li>`,
  );
  const site = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(`<title>Bench</title><h1>Bench</h1><ul>${items.join('')}</ul>`);
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(site.address() as AddressInfo).port}`;
  const { signal } = new AbortController();
  try {
    await using browser = createBrowser();
    await using session = await browser.open(new NetworkGuard({ addresses: [host] }));
    const tools = createBrowserTools(session);
    const use = (name: string, input: Readonly<Record<string, unknown>>) =>
      tools.find((tool) => tool.name === `browser_${name}`)!.run(input, { signal });
    await use('open', { url: `http://${host}/` });
    const times: number[] = [];
    for (let i = 0; i < snapshots; i++) {
      const begun = performance.now();
      await use('snapshot', {});
      times.push(performance.now() - begun);
    }
    return medianOf(times);
  } finally {
    site.closeAllConnections();
    site.close();
  }
}
