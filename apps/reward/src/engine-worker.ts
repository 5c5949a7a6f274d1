/** The engine process of the reward service: holds the weights and runs ONNX Runtime. */
import { loadModel, type SavedModel } from '@crucible/checkpoint';
import { CrucibleError, invalidInput, throwIfCancelled } from '@crucible/foundation';
import { rowTime, ScalarScorer, scoreSequences } from '@crucible/inference';
import { countParameters } from '@crucible/optim';
import { resolveSettings, serveWorker, TaskQueue } from '@crucible/service';
import { chooseDevice, useCompileCache } from '@crucible/tensor';
import type { RewardEngineMethods } from './engine-protocol.ts';

interface Loaded {
  readonly model: Extract<SavedModel, { kind: 'scalar' }>;
  readonly version: number;
  readonly scorer: ScalarScorer;
}

/** Tokens of a sequence at most; of longer ones the end is read. */
const longestContext = 4096;

const { device, cache } = resolveSettings();
useCompileCache(cache);

const loaded = new Map<string, Loaded>();
/** Programs of scorers run one at a time, and are released when those before have ended. */
const scoring = new TaskQueue();

serveWorker<RewardEngineMethods>({
  open: () => chooseDevice(device),

  load: async ({ name, version, folder }) => {
    const model = loadModel(folder);
    if (model.kind !== 'scalar') throw invalidInput(`${folder} holds no reward model`, { at: 'uri' });
    const { weights } = model;
    const config = { ...model.config, maxPositions: Math.min(model.config.maxPositions, longestContext) };
    const before = loaded.get(name);
    const isSame = before && JSON.stringify(before.model.config) === JSON.stringify(config);
    loaded.set(name, {
      model: { ...model, config },
      version,
      scorer: isSame ? before.scorer : new ScalarScorer(weights, config, { device }),
    });
    if (before && !isSame) void scoring.run(() => before.scorer.dispose());
    return {
      contextLength: config.maxPositions,
      vocabularySize: config.vocabularySize,
      parameterCount: countParameters(weights),
      endTokenIds: [],
      device: (await chooseDevice(device)).device,
    };
  },

  score: async ({ name, sequences }, { signal }) => {
    const found = loaded.get(name);
    if (!found) throw new CrucibleError('not-found', `model ${name} is not loaded`, { at: 'model' });
    const { model, version, scorer } = found;
    const score = async (): Promise<number[]> => {
      const scores: number[] = [];
      const atOnce = 64;
      for (let first = 0; first < sequences.length; first += atOnce) {
        throwIfCancelled(signal, 'scoring');
        const part = sequences.slice(first, first + atOnce);
        const longest = Math.max(...part.map(({ length }) => length));
        const time = rowTime(longest, model.config.maxPositions);
        scores.push(...(await scoreSequences(scorer, model.weights, part, { time, pad: 0 })));
      }
      return scores;
    };
    const scores = await scoring.run(score, signal);
    return { version, scores: scores.map((one) => one - model.bias) };
  },
});
