import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bus, createBus, createEvent } from '@crucible/bus';
import { ModelRegistry, type ModelVersion, saveModel } from '@crucible/checkpoint';
import type { DecoderConfig } from '@crucible/nn';
import { type GenerateRequestSchema, PolicyService } from '@crucible/protos/policy/v1';
import { type CallOptions, type Client, createClient } from '@crucible/rpc';
import type { Service } from '@crucible/service';
import { type RecordingLogger, recordingLogger } from '@crucible/service/testing';
import { tinyLlama, tinyLlamaConfig } from '@crucible/testing';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { createPolicyService } from '../policy-service.ts';

/** The token that ends an answer of the models here. */
export const endTokenId = 1;

export interface PolicyForTest extends RecordingLogger, AsyncDisposable {
  readonly service: Service;
  readonly client: Client<typeof PolicyService>;
  readonly bus: Bus;
  readonly registry: ModelRegistry;
  /** Puts a model into the registry, and says nothing. */
  readonly add: (name: string, seed: number, config?: DecoderConfig) => Promise<ModelVersion>;
  /** Says that a model is there and waits until it serves. */
  readonly announce: (model: ModelVersion) => Promise<void>;
  readonly generate: (
    request: MessageInitShape<typeof GenerateRequestSchema>,
    options?: CallOptions,
  ) => Promise<Generated>;
}

interface Generated {
  readonly model: string;
  readonly versions: readonly number[];
  readonly tokens: readonly number[];
  readonly logprobs: readonly number[];
  readonly top: readonly { readonly tokenIds: readonly number[]; readonly logprobs: readonly number[] }[];
  readonly finish: number;
  readonly usage: { readonly prompt: number; readonly completion: number };
}

/** A policy service on an empty registry and a bus of its own; `prepare` fills the registry before the start. */
export async function startPolicy(
  prepare: (add: PolicyForTest['add']) => Promise<unknown> = () => Promise.resolve(),
): Promise<PolicyForTest> {
  const folder = mkdtempSync(join(tmpdir(), 'crucible-policy-'));
  const registry = new ModelRegistry(folder);
  const add = (name: string, seed: number, config: DecoderConfig = tinyLlamaConfig): Promise<ModelVersion> =>
    registry.publish({ name, stage: 'sft', kind: 'language', step: 1, finished: true, metrics: {} }, (path) => {
      saveModel(path, { kind: 'language', config, weights: tinyLlama(seed) }, { bos: 0, eos: [endTokenId], pad: 0 });
      // The policy deals in tokens; what they spell is none of its business.
      writeFileSync(join(path, 'tokenizer.json'), '{}');
    });
  await prepare(add);
  const logger = recordingLogger();
  const bus = await createBus('embedded:');
  const service = await createPolicyService({ bus, source: registry, log: logger.log, host: '127.0.0.1', port: 0 });
  const client = createClient(PolicyService, service.target);
  return {
    ...logger,
    service,
    client,
    bus,
    registry,
    add,
    announce: async ({ name, version, uri, stage, step, sha256 }) => {
      const data = { model: name, version, uri, stage, step, sha256 };
      await bus.publish(createEvent('crucible.weights.published', { source: '/test', subject: name, data }));
      await logger.logged({ msg: 'serving new weights', model: name, version });
    },
    generate: (request, options) => collect(client, request, options),
    [Symbol.asyncDispose]: async () => {
      client.close();
      await service.close(0);
      await bus.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Reads a stream to its end; it must be one `started`, chunks, and one `finished`. */
async function collect(
  client: Client<typeof PolicyService>,
  request: MessageInitShape<typeof GenerateRequestSchema>,
  options?: CallOptions,
): Promise<Generated> {
  const events = [];
  for await (const { event } of client.generate(request, options)) events.push(event);
  const [started, ...rest] = events;
  const finished = rest.pop();
  if (started?.case !== 'started' || finished?.case !== 'finished') throw new Error('not started or not finished');
  const chunks = rest.map((event) => {
    if (event.case !== 'chunk' || event.value.tokenIds.length === 0) throw new Error(`${event.case} among the chunks`);
    return event.value;
  });
  const { model, version, promptTokenCount } = started.value;
  const { finishReason, usage } = finished.value;
  return {
    model,
    versions: [...new Set([version, ...chunks.map((chunk) => chunk.version)])],
    tokens: chunks.flatMap(({ tokenIds }) => tokenIds),
    logprobs: chunks.flatMap(({ logprobs }) => logprobs),
    top: chunks.flatMap(({ topLogprobs }) => topLogprobs),
    finish: finishReason,
    usage: { prompt: Math.max(promptTokenCount, usage!.promptTokenCount), completion: usage!.completionTokenCount },
  };
}

/** Ids of the engine processes that belong to this one. */
export function enginePids(): number[] {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .filter((match) => Number(match?.[2]) === process.pid && match![3]!.includes('engine-worker'))
    .map((match) => Number(match![1]));
}
