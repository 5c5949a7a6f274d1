import '@crucible/testing';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createBus, createEvent } from '@crucible/bus';
import { saveAdapter, type SavedModel, saveModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { type AdapterConfig, decoderParameters, initLanguageModel, initLora, type ParameterTree } from '@crucible/nn';
import { PolicyService } from '@crucible/protos/policy/v1';
import { createClient } from '@crucible/rpc';
import { recordingLogger } from '@crucible/service/testing';
import { floats, isNdArray, mapTree, type NdArray } from '@crucible/tensor';
import { temporaryFolder, tinyLlamaConfig } from '@crucible/testing';
import { expect, onTestFinished, test } from 'vitest';
import { createPolicyService } from './policy-service.ts';
import { enginePids, type PolicyForTest, startPolicy } from './testing/start-policy.ts';

const config = tinyLlamaConfig;
const promptTokenIds = [5, 9, 2, 17];
const sampling = { maxTokens: 8, temperature: 0, stopTokenIds: [1000] };
const lora: AdapterConfig = {
  kind: 'lora',
  rank: 3,
  alpha: 2,
  rankStabilized: false,
  dropout: 0,
  targets: ['all-linear'],
};

/** An adapter's folder as PEFT has it, with values that matter. */
function adapterFolder(seed: number, own: AdapterConfig = lora, folder = join(temporaryFolder(), `a${seed}`)): string {
  const numbers = Random.seeded(seed);
  const empty =
    own.kind === 'lora'
      ? initLora(own, decoderParameters(config, { kind: 'language' }), numbers)
      : {
          prompt_embeddings: floats([own.tokens, config.hiddenSize], new Float32Array(own.tokens * config.hiddenSize)),
        };
  const fill = ({ shape, data }: NdArray): NdArray =>
    floats(
      shape,
      Float32Array.from(data, () => 0.5 * numbers.normal()),
    );
  const parameters = mapTree(empty, isNdArray, fill) as ParameterTree<NdArray>;
  mkdirSync(folder, { recursive: true });
  saveAdapter(folder, { config: own, parameters }, { kind: 'language', config }, 'chat');
  return folder;
}

async function startForTest(prepare: Parameters<typeof startPolicy>[0] = (add) => add('chat', 1)) {
  const policy = await startPolicy(prepare);
  onTestFinished(() => policy[Symbol.asyncDispose]());
  return policy;
}

async function answer(policy: PolicyForTest, model: string): Promise<readonly number[]> {
  return (await policy.generate({ model, promptTokenIds, sampling })).tokens;
}

async function namesOf({ client }: PolicyForTest): Promise<string[]> {
  return (await client.getModelInfo({})).models.map(({ name, version }) => `${name}@${version}`);
}

test('adapters are loaded, asked for by name, replaced and unloaded while the model serves', async () => {
  const policy = await startForTest();
  const { client } = policy;
  const load = (adapter: string, version: number, uri: string) =>
    client.loadAdapter({ model: 'chat', adapter, version, uri });
  const plain = await answer(policy, 'chat');
  const { model } = await load('one', 1, adapterFolder(1));
  expect(model).toMatchObject({ name: 'chat:one', version: 1, contextLength: 96, endTokenIds: [1] });
  await load('two', 3, adapterFolder(2, { kind: 'prompt', tokens: 5 }));
  expect(await namesOf(policy)).toEqual(['chat@1', 'chat:one@1', 'chat:two@3']);
  expect((await client.getModelInfo({})).defaultModel).toBe('chat');
  expect((await client.getModelInfo({ model: 'chat:two' })).models).toMatchObject([{ contextLength: 91 }]);

  const [none, one, two] = await Promise.all(['chat', 'chat:one', 'chat:two'].map((name) => answer(policy, name)));
  expect(none).toEqual(plain);
  expect(new Set([none, one, two].map((tokens) => tokens!.join())).size).toBe(3);

  // What Score says of an answer is what Generate said.
  for (const name of ['chat:one', 'chat:two']) {
    const {
      tokens,
      logprobs,
      model: answered,
      versions,
    } = await policy.generate({ model: name, promptTokenIds, sampling });
    expect([answered, versions]).toEqual([name, [name === 'chat:one' ? 1 : 3]]);
    const sequences = [{ promptTokenIds, completionTokenIds: [...tokens] }];
    const { scores, version } = await client.score({ model: name, sequences });
    expect(scores[0]!.logprobs).toBeAllClose(logprobs, { atol: 2e-5, rtol: 1e-5 });
    expect(version).toBe(name === 'chat:one' ? 1 : 3);
  }

  await load('one', 2, adapterFolder(4));
  expect(await namesOf(policy)).toEqual(['chat@1', 'chat:one@2', 'chat:two@3']);
  expect(await answer(policy, 'chat:one')).not.toEqual(one);
  const { scores } = await client.score({
    model: 'chat:one',
    sequences: [{ promptTokenIds, completionTokenIds: [...one!] }],
  });
  const { scores: old } = await client.score({
    model: 'chat',
    sequences: [{ promptTokenIds, completionTokenIds: [...one!] }],
  });
  expect(scores[0]!.logprobs).not.toEqual(old[0]!.logprobs);

  await client.unloadAdapter({ model: 'chat', adapter: 'one' });
  await client.unloadAdapter({ model: 'chat', adapter: 'one' });
  await expect(answer(policy, 'chat:one')).rejects.toMatchObject({
    code: 'not-found',
    message: 'model chat:one is not served; served are chat, chat:two',
  });
  expect(await answer(policy, 'chat:two')).toEqual(two);
});

test('what cannot be loaded is refused, and changes nothing', async () => {
  const policy = await startForTest();
  const { client } = policy;
  const uri = adapterFolder(1);
  const load = (more: Record<string, unknown>) =>
    client.loadAdapter({ model: 'chat', adapter: 'one', version: 1, uri, ...more });
  await expect(load({ model: 'nobody' })).rejects.toMatchObject({ code: 'not-found' });
  await expect(load({ adapter: 'A:b' })).rejects.toMatchObject({ code: 'invalid-input', at: 'adapter' });
  await expect(load({ version: 0 })).rejects.toThrow('version is 0; versions count from 1');
  await expect(load({ uri: temporaryFolder() })).rejects.toMatchObject({ code: 'not-found' });
  await expect(load({ uri: policy.registry.resolve('chat').uri })).rejects.toThrow(
    'holds a language model; an adapter is needed',
  );
  await expect(load({ sha256: '0'.repeat(64) })).rejects.toMatchObject({ code: 'data-loss' });
  await expect(client.updateWeights({ model: 'chat', version: 2, uri })).rejects.toThrow(
    'holds an adapter; a language model is needed',
  );
  await load({});
  await expect(load({ uri: adapterFolder(2) })).rejects.toMatchObject({ code: 'conflict' });
  await expect(load({ adapter: 'head', uri: adapterFolder(3, { ...lora, targets: ['lm_head'] }) })).rejects.toThrow(
    'adapter head changes lm_head.weight, which the rows of a batch share; merge it into its base to serve it',
  );
  expect(await namesOf(policy)).toContain('chat:one@1');
  expect(await namesOf(policy)).not.toContain('chat:head@1');
});

test('adapters of the registry are served with their model, also when it gets new weights or the engine dies', async () => {
  const policy = await startForTest();
  const publish = async (name: string, seed: number): Promise<void> => {
    const card = {
      name,
      stage: 'sft',
      kind: 'adapter',
      step: 1,
      finished: true,
      metrics: {},
      parent: 'chat@1',
    } as const;
    const made = await policy.registry.publish(card, (folder) => {
      adapterFolder(seed, lora, folder);
      writeFileSync(join(folder, 'tokenizer.json'), '{}');
    });
    const { version, uri, stage, step, sha256 } = made;
    const data = { model: name, version, uri, stage, step, sha256 };
    await policy.bus.publish(createEvent('crucible.weights.published', { source: '/test', subject: name, data }));
    await policy.logged({ msg: 'serving new weights', model: `chat:${name}`, version });
  };
  await publish('mine', 7);
  const mine = await answer(policy, 'chat:mine');
  await publish('mine', 8);
  expect(await namesOf(policy)).toEqual(['chat@1', 'chat:mine@2']);
  const newer = await answer(policy, 'chat:mine');
  expect(newer).not.toEqual(mine);

  // Its loss brings back what it had.
  process.kill(enginePids()[0]!, 'SIGKILL');
  await expect.poll(() => answer(policy, 'chat:mine').catch(() => []), { timeout: 30_000 }).toEqual(newer);

  // Other weights of the same sizes: the adapter changes those.
  await policy.announce(await policy.add('chat', 2));
  expect(await namesOf(policy)).toEqual(['chat@2', 'chat:mine@2']);
  expect(await answer(policy, 'chat:mine')).not.toEqual(newer);

  // A service that starts later finds both in the registry.
  const { log } = recordingLogger();
  const other = await createBus('embedded:');
  const service = await createPolicyService({ bus: other, source: policy.registry, log, host: '127.0.0.1', port: 0 });
  const client = createClient(PolicyService, service.target);
  onTestFinished(async () => {
    client.close();
    await service.close(0);
    await other.close();
  });
  expect((await client.getModelInfo({})).models.map(({ name }) => name)).toEqual(['chat', 'chat:mine']);

  // Weights of other sizes, which it does not fit
  const wide = { ...config, family: 'llama', hiddenSize: 48 } as const;
  const saved: SavedModel = { kind: 'language', config: wide, weights: initLanguageModel(wide, Random.seeded(1)) };
  const card = { name: 'chat', stage: 'sft', kind: 'language', step: 1, finished: true, metrics: {} } as const;
  await policy.announce(
    await policy.registry.publish(card, (folder) => {
      saveModel(folder, saved, { bos: 0, eos: [1], pad: 0 });
      writeFileSync(join(folder, 'tokenizer.json'), '{}');
    }),
  );
  expect(await namesOf(policy)).toEqual(['chat@3']);
});
