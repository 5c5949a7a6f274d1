import { setTimeout as delay } from 'node:timers/promises';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createBus } from '@crucible/bus';
import { loadModel, ModelRegistry, saveModel, saveQuantizedModel } from '@crucible/checkpoint';
import { quantizeModel } from '@crucible/inference';
import type { DecoderConfig } from '@crucible/nn';
import { FinishReason, type GenerateResponse } from '@crucible/protos/policy/v1';
import { recordingLogger, untilGone } from '@crucible/service/testing';
import { temporaryFolder, tinyLlama, tinyLlamaConfig } from '@crucible/testing';
import { createPolicyService } from './policy-service.ts';
import { enginePids, endTokenId, type PolicyForTest, startPolicy } from './testing/start-policy.ts';

const promptTokenIds = [5, 9, 2, 17];
/** Room for an answer that takes a while. */
const longConfig = { ...tinyLlamaConfig, maxPositions: 4096 };
const endless = { stopTokenIds: [1000] };

async function startForTest(prepare?: Parameters<typeof startPolicy>[0]): Promise<PolicyForTest> {
  const policy = await startPolicy(prepare);
  onTestFinished(() => policy[Symbol.asyncDispose]());
  return policy;
}

/** Reads on until tokens come, and at most `count` of them; the stream stays open. */
async function readTokens(stream: AsyncGenerator<GenerateResponse>, count = 1): Promise<number[]> {
  const tokens: number[] = [];
  while (tokens.length < count) {
    const next = await stream.next();
    if (next.done === true) throw new Error('the stream has ended');
    const { event } = next.value;
    if (event.case === 'chunk') tokens.push(...event.value.tokenIds);
  }
  return tokens;
}

async function readToEnd(stream: AsyncGenerator<GenerateResponse>): Promise<void> {
  while ((await stream.next()).done !== true);
}

/** Counted from the published layout. */
function parametersOf(config: DecoderConfig): number {
  const { vocabularySize, hiddenSize, intermediateSize, layers, heads, keyValueHeads } = config;
  const attention = 2 * hiddenSize ** 2 + 2 * hiddenSize * (hiddenSize / heads) * keyValueHeads;
  const layer = attention + 3 * hiddenSize * intermediateSize + 2 * hiddenSize;
  return 2 * vocabularySize * hiddenSize + layers * layer + hiddenSize;
}

test('a policy without models says so, and serves the first that is published', async () => {
  const policy = await startForTest();
  await expect(policy.client.getModelInfo({})).resolves.toMatchObject({ models: [], defaultModel: '' });
  await expect(policy.generate({ promptTokenIds })).rejects.toMatchObject({
    code: 'failed-precondition',
    message: 'no model is loaded yet',
  });
  const model = await policy.add('chat', 1);
  await policy.announce(model);
  const { models, defaultModel } = await policy.client.getModelInfo({});
  expect(defaultModel).toBe('chat');
  expect(models).toMatchObject([
    {
      name: 'chat',
      version: 1,
      stage: 'sft',
      contextLength: 96,
      vocabularySize: 24,
      tokenizerSha256: model.tokenizerSha256,
      uri: model.uri,
      endTokenIds: [endTokenId],
    },
  ]);
  expect(models[0]!.parameterCount).toBe(BigInt(parametersOf(tinyLlamaConfig)));
  await expect(policy.generate({ promptTokenIds })).resolves.toMatchObject({ versions: [1] });
});

test('weights that are published while an answer is written serve the next one; the answer goes on as it began', async () => {
  const policy = await startForTest((add) => add('chat', 1, longConfig));
  const request = { promptTokenIds, sampling: { ...endless, maxTokens: 300, seed: 3 } };
  const before = await policy.generate(request);
  expect(before.versions).toEqual([1]);

  const events: GenerateResponse['event'][] = [];
  const stream = policy.client.generate(request);
  for (let i = 0; i < 3; i++) events.push(((await stream.next()).value as GenerateResponse).event);
  await policy.announce(await policy.add('chat', 2, longConfig));
  const after = await policy.generate(request);
  // Other sizes under the same name
  await policy.announce(await policy.add('chat', 3, tinyLlamaConfig));
  const small = await policy.generate({ ...request, sampling: { ...request.sampling, maxTokens: 20 } });
  for await (const { event } of stream) events.push(event);

  const chunks = events.flatMap((event) => (event.case === 'chunk' ? [event.value] : []));
  expect(chunks.flatMap(({ tokenIds }) => tokenIds)).toEqual(before.tokens);
  expect(new Set(chunks.map(({ version }) => version))).toEqual(new Set([1]));
  expect(events.at(-1)).toMatchObject({ case: 'finished', value: { finishReason: FinishReason.LENGTH } });
  expect(after.versions).toEqual([2]);
  expect(after.tokens).not.toEqual(before.tokens);
  expect(small.versions).toEqual([3]);
});

test('a model of few bits is served', async () => {
  const policy = await startForTest();
  const made = await quantizeModel(tinyLlama(1), tinyLlamaConfig, { bits: 8, headBits: 8, method: 'rtn' });
  const card = { name: 'small', stage: 'sft', kind: 'language', step: 1, finished: true, metrics: {} } as const;
  const version = await policy.registry.publish(card, (folder) => {
    const record = { method: 'rtn', bits: 8, headBits: 8 };
    saveQuantizedModel(folder, { config: tinyLlamaConfig, ...made }, record, { bos: 0, eos: [endTokenId], pad: 0 });
    writeFileSync(join(folder, 'tokenizer.json'), '{}');
  });
  await policy.announce(version);
  const { model, tokens } = await policy.generate({ model: 'small', promptTokenIds, sampling: { maxTokens: 4 } });
  expect(model).toBe('small');
  expect(tokens.length).toBeGreaterThan(0);
});

test('a version that is damaged leaves the old one serving', async () => {
  const policy = await startForTest((add) => add('chat', 1));
  const broken = await policy.add('chat', 2);
  saveModel(
    broken.folder,
    { kind: 'language', config: { ...tinyLlamaConfig, vocabularySize: 25 }, weights: loadModel(broken.folder).weights },
    { bos: 0, eos: [endTokenId], pad: 0 },
  );
  const update = policy.client.updateWeights({ model: 'chat', version: 2, uri: broken.uri });
  await expect(update).rejects.toMatchObject({ message: expect.stringContaining('embed_tokens') as string });
  writeFileSync(join(broken.folder, 'config.json'), '{');
  await expect(policy.client.updateWeights({ model: 'chat', version: 2, uri: broken.uri })).rejects.toMatchObject({
    message: expect.stringContaining('config.json') as string,
  });
  rmSync(broken.folder, { recursive: true });
  const gone = policy.client.updateWeights({ model: 'chat', version: 2, uri: broken.uri });
  await expect(gone).rejects.toMatchObject({ code: 'not-found', at: 'uri' });
  await expect(policy.client.updateWeights({ model: 'chat', version: 2 })).rejects.toMatchObject({
    code: 'invalid-input',
    message: 'uri is empty; it names the checkpoint folder',
    at: 'uri',
  });
  await expect(policy.generate({ promptTokenIds })).resolves.toMatchObject({ versions: [1] });
});

test('a caller that leaves makes room for one that waits', async () => {
  const policy = await startForTest((add) => add('chat', 1, longConfig));
  const request = { promptTokenIds, sampling: { ...endless, maxTokens: 4000 } };
  // As many as are decoded at a time
  const streams = Array.from({ length: 64 }, () => policy.client.generate(request));
  await Promise.all(streams.map((stream) => readTokens(stream)));
  const waiting = policy.client.generate(request);
  const first = readTokens(waiting);
  let began = false;
  void first.then(() => (began = true));
  await readTokens(streams[0]!, 20);
  expect(began).toBe(false);
  await streams[1]!.return();
  await expect(first).resolves.toHaveLength(1);
  await policy.logged({ method: 'crucible.policy.v1.PolicyService/Generate', code: 'cancelled', level: 30 });
  await Promise.all([waiting, ...streams].map((stream) => stream.return()));
});

test('a passed deadline ends an answer', async () => {
  const policy = await startForTest((add) => add('chat', 1, longConfig));
  const request = { promptTokenIds, sampling: { ...endless, maxTokens: 4000 } };
  await expect(policy.generate(request, { deadlineMs: 300 })).rejects.toMatchObject({ code: 'deadline-exceeded' });
  await policy.logged({ code: 'deadline-exceeded' });
  await expect(policy.generate({ promptTokenIds, sampling: { maxTokens: 1 } })).resolves.toMatchObject({
    versions: [1],
  });
});

test('an engine that is killed fails what it was writing; the next call waits for its return', async () => {
  const policy = await startForTest((add) => add('chat', 1, longConfig));
  const request = { promptTokenIds, sampling: { ...endless, maxTokens: 4000, seed: 1 } };
  const stream = policy.client.generate(request);
  const begin = await readTokens(stream, 3);
  process.kill(enginePids()[0]!, 'SIGKILL');
  await expect(readToEnd(stream)).rejects.toMatchObject({
    code: 'unavailable',
    message: 'the policy engine ended unexpectedly (signal SIGKILL)',
  });
  const again = await policy.generate({ promptTokenIds, sampling: { ...request.sampling, maxTokens: 10 } });
  expect(again.tokens.slice(0, 3)).toEqual(begin.slice(0, 3));
});

test('closing lets an answer finish, takes no new calls, and leaves no process behind', async () => {
  const policy = await startForTest((add) => add('chat', 1, longConfig));
  const [pid] = enginePids();
  const request = { promptTokenIds, sampling: { ...endless, maxTokens: 200 } };
  const answer = policy.client.generate(request);
  const begin = await readTokens(answer);
  const closed = policy.service.close();
  await delay(10);
  await expect(policy.generate(request)).rejects.toMatchObject({ code: 'unavailable' });
  const rest = await readTokens(answer, 200 - begin.length);
  expect(begin.length + rest.length).toBe(200);
  for await (const { event } of answer) expect(event.case).toBe('finished');
  await closed;
  await untilGone(pid!);
});

test('closing breaks off an answer that takes longer than the grace', async () => {
  const policy = await startForTest((add) => add('chat', 1, longConfig));
  const answer = policy.client.generate({ promptTokenIds, sampling: { ...endless, maxTokens: 4000 } });
  await readTokens(answer);
  await policy.service.close(50);
  await expect(readToEnd(answer)).rejects.toMatchObject({ code: 'unavailable' });
  expect(enginePids()).toEqual([]);
});

test('a port that is taken is an error that names it, and leaves no process behind', async () => {
  const policy = await startForTest();
  const port = Number(policy.service.target.split(':')[1]);
  const before = enginePids();
  await using bus = await createBus('embedded:');
  const source = new ModelRegistry(temporaryFolder());
  const second = createPolicyService({ bus, source, log: recordingLogger().log, host: '127.0.0.1', port });
  await expect(second).rejects.toMatchObject({
    code: 'conflict',
    message: `127.0.0.1:${port}: the port is in use; another server may be running`,
    at: 'port',
  });
  expect(enginePids()).toEqual(before);
});

test('calls are logged with what became of them', async () => {
  const policy = await startForTest((add) => add('chat', 1));
  const metadata = { 'x-request-id': 'mine' };
  await policy.generate({ promptTokenIds, sampling: { maxTokens: 1 } }, { metadata });
  await expect(policy.logged({ requestId: 'mine' })).resolves.toMatchObject({
    level: 20,
    msg: 'a call was answered',
    method: 'crucible.policy.v1.PolicyService/Generate',
    code: 'ok',
  });
  await policy.generate({ promptTokenIds: [] }, { metadata }).catch(() => undefined);
  await expect(policy.logged({ requestId: 'mine', code: 'invalid-input' })).resolves.toMatchObject({
    level: 30,
    msg: 'a call failed',
    error: 'prompt_token_ids: at least one token is needed',
  });
});
