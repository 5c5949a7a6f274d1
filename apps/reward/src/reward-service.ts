/** The reward service: how good an answer is, by the newest reward model. */
import { invalidInput } from '@crucible/foundation';
import { RewardService } from '@crucible/protos/reward/v1';
import { implementService } from '@crucible/rpc';
import type { Service } from '@crucible/service';
import {
  createModelService,
  type LoadedModel,
  type ModelServiceDependencies,
  type ModelServiceParts,
} from '@crucible/serving';
import type { RewardEngineMethods } from './engine-protocol.ts';

const mostSequences = 1024;

export function createRewardService(dependencies: ModelServiceDependencies): Promise<Service> {
  const engine = new URL('./engine-worker.ts', import.meta.url);
  return createModelService<RewardEngineMethods>({ name: 'reward', kind: 'scalar', engine, implement }, dependencies);
}

const implement: ModelServiceParts<RewardEngineMethods>['implement'] = (worker, models, shared) =>
  implementService(RewardService, {
    ...shared,

    score: async (request, { signal }) => {
      const model = models.resolve(request.model);
      const sequences = request.sequences.map(({ tokenIds }) => tokenIds);
      assertSequences(sequences, model.loaded);
      const { version, scores } = await worker.call('score', { name: model.name, sequences }, { signal });
      return { version, scores: [...scores] };
    },
  });

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
