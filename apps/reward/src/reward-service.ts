/** The reward service: how good an answer is, by the newest reward model. */
import type { Bus } from '@crucible/bus';
import { invalidInput } from '@crucible/foundation';
import { RewardService } from '@crucible/protos/reward/v1';
import { createServer, implementService, type Server, type ServerTls } from '@crucible/rpc';
import { type Logger, logCalls, type Service } from '@crucible/service';
import { EngineWorker, type LoadedModel, modelEngine, type ModelSource, ServedModels } from '@crucible/serving';
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
  const worker = await EngineWorker.start<RewardEngineMethods>(
    new URL('./engine-worker.ts', import.meta.url),
    'the reward engine',
    log,
  );
  const models = new ServedModels({ kind: 'scalar', source, log, engine: modelEngine(worker) });

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

  const stop = async (graceMs: number): Promise<void> => {
    await models.stop();
    await server?.drain({ graceMs });
    await worker.close();
  };
  let server: Server | undefined;
  try {
    server = await createServer({ host, port, services: [service], onCallEnd: logCalls(log), ...(tls && { tls }) });
    await models.start(bus);
  } catch (reason) {
    await stop(0);
    throw reason;
  }
  log.info({ target: server.target, models: models.info('').map(({ name }) => name) }, 'the reward model serves');
  return {
    name: 'reward',
    target: server.target,
    close: (graceMs = 10_000) => stop(graceMs),
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
