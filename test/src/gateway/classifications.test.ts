/** Classification over HTTP: the gateway in front of a policy that serves what the tuning lab has kept. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bus, createBus } from '@crucible/bus';
import { ModelRegistry } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { createGatewayService } from '@crucible/gateway';
import { initEncoder } from '@crucible/nn';
import { createPolicyService } from '@crucible/policy';
import type { Service } from '@crucible/service';
import { recordingLogger } from '@crucible/service/testing';
import { trainWordPiece } from '@crucible/tokenizer';
import { encoderConfigOf, mlmDefaults } from '@crucible/training';
import { headMethod } from '@crucible/tuning';

const folder = mkdtempSync(join(tmpdir(), 'crucible-classifications-'));
const common = { log: recordingLogger().log, host: '127.0.0.1', port: 0 };
const labels = ['question', 'answer'];
const inputs = [{ text: 'who is it' }, { text: 'it is the smith', pair: 'who' }];
let bus: Bus;
let policy: Service;
let gateway: Service;
let expected: number[][];

beforeAll(async () => {
  const tokenizer = await trainWordPiece(['who is it ? it is the smith . '.repeat(30)], { vocabSize: 90 });
  const config = encoderConfigOf(
    { ...mlmDefaults, hiddenSize: 32, layers: 1, heads: 2, maxPositions: 32 },
    tokenizer.vocabSize,
  );
  const weights = initEncoder(config, { kind: 'masked-language' }, Random.seeded(1));
  const settings = {
    ...{ seed: 1, steps: 3, rows: 2, learningRate: 0.02, warmupShare: 0, weightDecay: 0, evaluations: 0, threads: 1 },
  };
  const train = inputs.map((input, label) => ({ ...input, label }));
  const tuned = await headMethod({ weights, config, tokenizer }, 'all').train({ labels, train, dev: [] }, settings);
  expected = await tuned.predict(inputs);
  const registry = new ModelRegistry(folder);
  const card = { name: 'kinds', stage: 'tune', kind: 'classifier', step: 3, finished: true, metrics: {} } as const;
  await registry.publish(card, (path) => tuned.save(path));
  await tuned.dispose();
  bus = await createBus('embedded:');
  policy = await createPolicyService({ ...common, bus, source: registry });
  const nobody = '127.0.0.1:1';
  gateway = await createGatewayService({
    ...common,
    ...{ policyTarget: policy.target, retrieverTarget: nobody, sandboxTarget: nobody },
    ...{ trainerTarget: nobody, actorTarget: nobody },
  });
}, 60_000);
afterAll(async () => {
  await gateway.close(0);
  await policy.close(0);
  await bus.close();
  rmSync(folder, { recursive: true, force: true });
});

async function classify(body: unknown): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(`http://${gateway.target}/v1/classifications`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

describe('POST /v1/classifications', () => {
  it('answers with the label and the probabilities of each text, and of a pair', async () => {
    const { status, body } = await classify({ model: 'kinds', input: ['who is it', inputs[1]] });
    expect(status).toBe(200);
    expect(body).toMatchObject({ object: 'list', model: 'kinds', version: 1 });
    const { data } = body as { data: { label: string; index: number; probabilities: Record<string, number> }[] };
    expect(data).toHaveLength(2);
    data.forEach(({ label, index, probabilities }, i) => {
      expect(index).toBe(i);
      expect(Object.keys(probabilities)).toEqual(labels);
      labels.forEach((name, n) => expect(probabilities[name]).toBeCloseTo(expected[i]![n]!, 4));
      expect(label).toBe(labels[expected[i]!.indexOf(Math.max(...expected[i]!))]);
    });
  });

  it('takes one text as it is', async () => {
    const one = await classify({ model: 'kinds', input: 'who is it' });
    expect(one).toMatchObject({ status: 200, body: { data: [{ object: 'classification', index: 0 }] } });
  });

  it.each([
    ['{', 400, /the body is no JSON/, 'body'],
    [{ input: 'a' }, 400, 'model: it is missing; a string is allowed', 'model'],
    [
      { model: 'kinds', input: 7 },
      400,
      'input: 7 is given; a string, or a list of strings or objects of text and pair, is allowed',
      'input',
    ],
    [{ model: 'kinds', input: 'a', k: 1 }, 400, 'k: this field is not known or not supported here', 'k'],
    [{ model: 'kinds', input: [] }, 400, 'inputs: 0 are given; 1 to 1024 are allowed', 'inputs'],
    [{ model: 'nobody', input: 'a' }, 404, 'model nobody is not served; served are kinds', 'model'],
  ])('refuses %j', async (body, status, message, param) => {
    const answer = await classify(body);
    expect(answer.status).toBe(status);
    const { error } = answer.body as { error: { message: string; param: string } };
    expect(error.message).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
    expect(error.param).toBe(param);
  });
});
