/** The reward service: how good an answer is, by the newest reward model. */
import type { Bus } from '@crucible/bus';
import { invalidInput } from '@crucible/foundation';
import { RewardService } from '@crucible/protos/reward/v1';
import { createServer, implementService, type ServerTls } from '@crucible/rpc';
import type { Logger, Service } from '@crucible/service';
import { EngineWorker, type LoadedModel, type ModelSource, ServedModels } from '@crucible/serving';
import type { RewardEngineMethods } from './engine-protocol.ts';

export interface RewardDependencies {
  readonly bus: Bus;
  readonly source: ModelSource;
  readonly log: Logger;
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly tls?: ServerTls;
}

const mostSequences = 1024;

export async function createRewardService({ bus, source, log, host, port, tls }: RewardDependencies): Promise<Service> {
  const worker = new EngineWorker<RewardEngineMethods>(
    new URL('./engine-worker.ts', import.meta.url),
    'the reward engine',
    log,
  );
  const models = new ServedModels({
    kind: 'scalar',
    source,
    log,
    engine: {
      load: ({ name, version, folder }) => worker.call('load', { name, version, folder }),
      onRestart: (listener) => worker.onRestart(listener),
    },
  });

  const service = implementService(RewardService, {
    score: async (request, { signal }) => {
      const model = models.resolve(request.model);
      const sequences = request.sequences.map(({ tokenIds }) => tokenIds);
      assertSequences(sequences, model.loaded);
      const { version, scores } = await worker.call('score', { name: model.name, sequences }, { signal });
      return { version, scores: [...scores] };
    },
    getModelInfo: (request) => ({ models: models.info(request.model), defaultModel: models.defaultName ?? '' }),
    updateWeights: async ({ model, version, uri, sha256, allowRollback }) => {
      if (uri === '') throw invalidInput('uri is empty; it names the checkpoint folder', { at: 'uri' });
      return { model: await models.update({ model, version, uri, sha256, allowRollback }) };
    },
  });

  const server = await createServer({ host, port, services: [service], ...(tls && { tls }) }).catch(
    async (reason: unknown) => {
      await worker.close();
      throw reason;
    },
  );
  await models.start(bus);
  log.info({ target: server.target, models: models.info('').map(({ name }) => name) }, 'the reward model serves');
  return {
    name: 'reward',
    target: server.target,
    close: async (graceMs = 10_000) => {
      await models.stop();
      await server.drain({ graceMs });
      await worker.close();
    },
  };
}

function assertSequences(sequences: readonly (readonly number[])[], model: LoadedModel): void {
  if (sequences.length === 0 || sequences.length > mostSequences) {
    throw invalidInput(`sequences: ${sequences.length} are given; 1 to ${mostSequences} are allowed`, {
      at: 'sequences',
    });
  }
  sequences.forEach((ids, i) => {
    const at = `sequences[${i}].token_ids`;
    if (ids.length === 0) throw invalidInput(`${at}: at least one token is needed`, { at });
    if (ids.length > model.contextLength) {
      throw invalidInput(`${at}: ${ids.length} tokens are more than the context of ${model.contextLength}`, { at });
    }
    const outside = ids.find((id) => id >= model.vocabularySize);
    if (outside !== undefined) {
      throw invalidInput(
        `${at}: token ${outside} is outside of the vocabulary, whose ids go from 0 to ${model.vocabularySize - 1}`,
        { at },
      );
    }
  });
}
