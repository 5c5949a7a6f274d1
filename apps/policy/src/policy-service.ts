/** The policy service: token ids in, token ids out, from the newest weights. */
import { invalidInput } from '@crucible/foundation';
import type { Bus } from '@crucible/bus';
import { FinishReason, PolicyService } from '@crucible/protos/policy/v1';
import { createServer, implementService, type Server, type ServerTls } from '@crucible/rpc';
import { type Logger, logCalls, type Service } from '@crucible/service';
import { EngineWorker, modelEngine, type ModelSource, ServedModels } from '@crucible/serving';
import type { Choice } from '@crucible/inference';
import type { PolicyEngineMethods } from './engine-protocol.ts';
import { ItemStream } from './item-stream.ts';
import { assertScoreRequest, resolveGenerateRequest } from './requests.ts';

export interface PolicyDependencies {
  readonly bus: Bus;
  readonly source: ModelSource;
  readonly log: Logger;
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly tls?: ServerTls;
}

const finishReasons = {
  stop: FinishReason.STOP,
  length: FinishReason.LENGTH,
  cancelled: FinishReason.CANCELLED,
} as const;

export async function createPolicyService({ bus, source, log, host, port, tls }: PolicyDependencies): Promise<Service> {
  const worker = await EngineWorker.start<PolicyEngineMethods>(
    new URL('./engine-worker.ts', import.meta.url),
    'the policy engine',
    log,
  );
  const models = new ServedModels({ kind: 'language', source, log, engine: modelEngine(worker) });

  const service = implementService(PolicyService, {
    generate: async function* (request, { signal }) {
      const model = models.resolve(request.model);
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

    score: async (request, { signal }) => {
      const model = models.resolve(request.model);
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
  log.info({ target: server.target, models: models.info('').map(({ name }) => name) }, 'the policy serves');
  return {
    name: 'policy',
    target: server.target,
    close: (graceMs = 10_000) => stop(graceMs),
  };
}

function topLogprobs(alternatives: readonly Choice[]): { tokenIds: number[]; logprobs: number[] } {
  return {
    tokenIds: alternatives.map(({ id }) => id),
    logprobs: alternatives.map(({ logProbability }) => logProbability),
  };
}
