/** The policy service: token ids in, token ids out, from the newest weights. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FinishReason, PolicyService } from '@crucible/protos/policy/v1';
import { implementService } from '@crucible/rpc';
import type { Service } from '@crucible/service';
import {
  adapterName,
  createModelService,
  type ModelDescription,
  type ModelServiceDependencies,
  type ModelServiceParts,
} from '@crucible/serving';
import type { Choice } from '@crucible/inference';
import { promptFile } from '@crucible/tuning';
import type { PolicyEngineMethods } from './engine-protocol.ts';
import { ItemStream } from './item-stream.ts';
import {
  assertAdapterRequest,
  assertClassifyRequest,
  assertScoreRequest,
  assertWrites,
  resolveGenerateRequest,
} from './requests.ts';

const finishReasons = {
  stop: FinishReason.STOP,
  length: FinishReason.LENGTH,
  cancelled: FinishReason.CANCELLED,
} as const;

export function createPolicyService(dependencies: ModelServiceDependencies): Promise<Service> {
  const engine = new URL('./engine-worker.ts', import.meta.url);
  const parts = { name: 'policy', kind: 'language', serves, engine, implement } as const;
  return createModelService<PolicyEngineMethods>(parts, dependencies);
}

/** Models that write nothing and tell labels apart. An encoder does when it was tuned with a prompt, which lies beside it. */
function serves({ kind, folder }: ModelDescription): boolean {
  return kind === 'classifier' || (kind === 'masked-language' && existsSync(join(folder, promptFile)));
}

const implement: ModelServiceParts<PolicyEngineMethods>['implement'] = (worker, models, shared) =>
  implementService(PolicyService, {
    ...shared,

    generate: async function* (request, { signal }) {
      const model = models.resolve(request.model);
      assertWrites(model);
      const resolved = resolveGenerateRequest(request, model.loaded);
      const items = new ItemStream<PolicyEngineMethods['generate']['item']>();
      const done = worker.call(
        'generate',
        { name: model.name, ...resolved },
        { signal, onItem: (item) => items.push(item) },
      );
      done.then(
        () => items.end(),
        (reason: unknown) => items.fail(reason),
      );
      let version = model.version;
      let count = 0;
      for await (const item of items) {
        if (item.kind === 'started') {
          version = item.version;
          const started = { model: model.name, version, promptTokenCount: resolved.prompt.length };
          yield { event: { case: 'started', value: started } };
          continue;
        }
        count += item.tokens.length;
        const chunk = {
          version,
          tokenIds: item.tokens.map(({ id }) => id),
          logprobs: item.tokens.map(({ logProbability }) => logProbability),
          topLogprobs: request.topLogprobs > 0 ? item.tokens.map(({ alternatives }) => topLogprobs(alternatives)) : [],
        };
        yield { event: { case: 'chunk', value: chunk } };
      }
      const { finish } = await done;
      const usage = { promptTokenCount: resolved.prompt.length, completionTokenCount: count, cachedTokenCount: 0 };
      yield { event: { case: 'finished', value: { finishReason: finishReasons[finish], usage } } };
    },

    classify: async (request, { signal }) => {
      const model = models.resolve(request.model);
      const { labels = [] } = model.loaded;
      assertClassifyRequest(request, model);
      const inputs = request.inputs.map(({ text, pair }) => ({ text, ...(pair !== undefined && { pair }) }));
      const { version, probabilities } = await worker.call('classify', { name: model.name, inputs }, { signal });
      const classifications = probabilities.map((own) => ({
        label: labels[own.indexOf(Math.max(...own))]!,
        probabilities: [...own],
      }));
      return { labels: [...labels], classifications, version };
    },

    loadAdapter: async ({ model, adapter, version, uri, sha256, allowRollback }) => {
      assertAdapterRequest({ model, adapter });
      models.resolve(model);
      const name = adapterName(model, adapter);
      return { model: await models.update({ model: name, version, uri, sha256, allowRollback }) };
    },

    unloadAdapter: async ({ model, adapter }) => {
      assertAdapterRequest({ model, adapter });
      models.resolve(model);
      const name = adapterName(model, adapter);
      await models.remove(name, () => worker.call('unload', { name }));
      return {};
    },

    score: async (request, { signal }) => {
      const model = models.resolve(request.model);
      assertWrites(model);
      const { temperature = 1, topLogprobs: alternatives } = request;
      const sequences = request.sequences.map(({ promptTokenIds: prompt, completionTokenIds: completion }) => ({
        prompt,
        completion,
      }));
      assertScoreRequest({ sequences, temperature, alternatives }, model.loaded);
      const { version, scores } = await worker.call(
        'score',
        { name: model.name, sequences, temperature, alternatives },
        { signal },
      );
      return {
        version,
        scores: scores.map((score) => ({
          logprobs: [...score.logProbabilities],
          topLogprobs: score.alternatives.map(topLogprobs),
        })),
      };
    },
  });

function topLogprobs(alternatives: readonly Choice[]): { tokenIds: number[]; logprobs: number[] } {
  return {
    tokenIds: alternatives.map(({ id }) => id),
    logprobs: alternatives.map(({ logProbability }) => logProbability),
  };
}
