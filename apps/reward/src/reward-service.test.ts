import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Bus, createBus, createEvent } from '@crucible/bus';
import { ModelRegistry, type ModelVersion, type SavedModel, saveModel } from '@crucible/checkpoint';
import { RewardService } from '@crucible/protos/reward/v1';
import { type Client, createClient } from '@crucible/rpc';
import type { Service } from '@crucible/service';
import { recordingLogger } from '@crucible/service/testing';
import { referenceScores, tinyLlama, tinyLlamaConfig, tinyRewardModel } from '@crucible/testing';
import { createRewardService } from './reward-service.ts';

const bias = 0.75;
const folder = mkdtempSync(join(tmpdir(), 'crucible-reward-'));
const registry = new ModelRegistry(folder);
const logger = recordingLogger();
let bus: Bus;
let service: Service;
let client: Client<typeof RewardService>;

function add(name: string, model: SavedModel): Promise<ModelVersion> {
  const card = { name, stage: 'reward', kind: model.kind, step: 1, finished: true, metrics: {} };
  return registry.publish(card, (path) => {
    saveModel(path, model, { bos: 0, eos: [1], pad: 0 });
    // Rewards are for tokens; what they spell is none of the service's business.
    writeFileSync(join(path, 'tokenizer.json'), '{}');
  });
}

const scalar = (seed: number, maxPositions = 96): SavedModel => ({
  kind: 'scalar',
  config: { ...tinyLlamaConfig, maxPositions },
  weights: tinyRewardModel(seed),
  bias,
});

beforeAll(async () => {
  await add('chat', { kind: 'language', config: tinyLlamaConfig, weights: tinyLlama(1) });
  await add('taste', scalar(1));
  bus = await createBus('embedded:');
  service = await createRewardService({ bus, source: registry, log: logger.log, host: '127.0.0.1', port: 0 });
  client = createClient(RewardService, service.target);
});
afterAll(async () => {
  client.close();
  await service.close(0);
  await bus.close();
  rmSync(folder, { recursive: true });
});

/** Sequences of many lengths, more than one pass of the engine takes. */
const sequences = Array.from({ length: 70 }, (_, i) => ({
  tokenIds: Array.from({ length: 1 + ((i * 5) % 60) }, (_unused, t) => (i * 7 + t * 5) % 24),
}));

function expectedScore(seed: number, i: number): number {
  return referenceScores(tinyRewardModel(seed), sequences[i]!.tokenIds).at(-1)! - bias;
}

test('the reward models of the registry are served, and nothing else', async () => {
  const { models, defaultModel } = await client.getModelInfo({});
  expect(defaultModel).toBe('taste');
  expect(models).toMatchObject([
    {
      name: 'taste',
      version: 1,
      stage: 'reward',
      contextLength: 96,
      vocabularySize: 24,
      endTokenIds: [],
      device: 'cpu',
    },
  ]);
});

test('a score is what the model says at the last token, less its bias', async () => {
  const { scores, version } = await client.score({ sequences });
  expect(version).toBe(1);
  expect(scores).toHaveLength(70);
  // The reference takes its time: a look here and there, beyond the first pass too.
  for (const i of [0, 1, 12, 31, 63, 64, 69]) expect(scores[i]).toBeAllClose(expectedScore(1, i), { atol: 1e-4 });
});

test('a score does not depend on what is scored besides', async () => {
  const together = await client.score({ sequences });
  const alone = await Promise.all(sequences.slice(0, 12).map((one) => client.score({ sequences: [one] })));
  expect(alone.map(({ scores }) => scores[0]!)).toBeAllClose(together.scores.slice(0, 12), { atol: 1e-4 });
});

test('a sequence as long as the context is scored whole', async () => {
  const tokenIds = Array.from({ length: 96 }, (_, t) => (t * 7) % 24);
  const { scores } = await client.score({ sequences: [{ tokenIds }] });
  expect(scores).toBeAllClose([referenceScores(tinyRewardModel(1), tokenIds).at(-1)! - bias], { atol: 1e-4 });
});

describe('a wrong request is refused:', () => {
  test.each([
    ['no sequences', [], 'sequences', 'sequences: 0 are given; 1 to 1024 are allowed'],
    [
      'too many sequences',
      Array.from({ length: 1025 }, () => ({ tokenIds: [1] })),
      'sequences',
      'sequences: 1025 are given; 1 to 1024 are allowed',
    ],
    [
      'an empty sequence',
      [{ tokenIds: [1] }, {}],
      'sequences[1].token_ids',
      'sequences[1].token_ids: at least one token is needed',
    ],
    [
      'a sequence longer than the context',
      [{ tokenIds: Array.from({ length: 97 }, () => 1) }],
      'sequences[0].token_ids',
      'sequences[0].token_ids: 97 tokens are more than the context of 96',
    ],
    [
      'a token outside of the vocabulary',
      [{ tokenIds: [23, 24] }],
      'sequences[0].token_ids',
      'sequences[0].token_ids: token 24 is outside of the vocabulary, whose ids go from 0 to 23',
    ],
  ])('%s', async (_what, wrong, at, message) => {
    await expect(client.score({ sequences: wrong })).rejects.toMatchObject({ code: 'invalid-input', at, message });
  });

  test('an unknown model, and a language model, with the known ones', async () => {
    for (const model of ['gpt', 'chat']) {
      await expect(client.score({ model, sequences })).rejects.toMatchObject({
        code: 'not-found',
        at: 'model',
        message: `model ${model} is not served; served are taste`,
      });
    }
  });
});

test('an update to a language model is refused', async () => {
  const { uri } = registry.resolve('chat');
  await expect(client.updateWeights({ model: 'taste', version: 2, uri })).rejects.toMatchObject({
    code: 'invalid-input',
    message: `${uri} holds a language model; a reward model is needed`,
    at: 'uri',
  });
});

test('published weights serve from then on, also those of other sizes, while scores are being made', async () => {
  for (const [version, seed, maxPositions] of [
    [2, 2, 96],
    [3, 3, 128],
  ] as const) {
    const during = Array.from({ length: 8 }, () => client.score({ model: 'taste', sequences }));
    const { name, uri, stage, step, sha256 } = await add('taste', scalar(seed, maxPositions));
    const data = { model: name, version, uri, stage, step, sha256 };
    await bus.publish(createEvent('crucible.weights.published', { source: '/test', subject: name, data }));
    await logger.logged({ msg: 'serving new weights', model: name, version });
    const after = await client.score({ model: 'taste', sequences });
    expect(after.version).toBe(version);
    for (const i of [0, 40]) expect(after.scores[i]).toBeAllClose(expectedScore(seed, i), { atol: 1e-4 });
    for (const { scores, version: own } of await Promise.all(during))
      expect(scores[40]).toBeAllClose(expectedScore(own, 40), { atol: 1e-4 });
  }
});

test('calls are logged with what became of them', async () => {
  const metadata = { 'x-request-id': 'mine' };
  await client.score({ sequences: [{ tokenIds: [1] }] }, { metadata });
  await expect(logger.logged({ requestId: 'mine' })).resolves.toMatchObject({
    level: 20,
    method: 'crucible.reward.v1.RewardService/Score',
    code: 'ok',
  });
});
