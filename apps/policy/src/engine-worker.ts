/** The engine process of the policy service: holds the weights and runs ONNX Runtime. */
import { loadModel, loadSpecialTokenIds } from '@crucible/checkpoint';
import { CrucibleError, invalidInput, throwIfCancelled } from '@crucible/foundation';
import { GenerationEngine, LogProbabilityScorer, packSequences, rowTime, type ServedModel } from '@crucible/inference';
import type { ModelWeights } from '@crucible/nn';
import { countParameters } from '@crucible/optim';
import { resolveSettings, serveWorker, TaskQueue } from '@crucible/service';
import { useCompileCache } from '@crucible/tensor';
import type { PolicyEngineMethods, SequenceScore, TokenChoice } from './engine-protocol.ts';

interface Loaded {
  readonly engine: GenerationEngine;
  readonly scorer: LogProbabilityScorer;
}

/** Tokens of a conversation at most, whatever a model says of itself: attention takes memory for every pair of them. */
const longestContext = 4096;

useCompileCache(resolveSettings().cache);

const loaded = new Map<string, Loaded>();
/** Programs of scorers run one at a time, and are released when those before have ended. */
const scoring = new TaskQueue();

serveWorker<PolicyEngineMethods>({
  load: ({ name, version, folder }) => {
    const model = loadModel(folder);
    if (model.kind !== 'language') throw invalidInput(`${folder} holds no language model`, { at: 'uri' });
    const { weights } = model;
    const config = { ...model.config, maxPositions: Math.min(model.config.maxPositions, longestContext) };
    const before = loaded.get(name);
    const isSame = sameConfig(before?.engine.model, config);
    const engine = before?.engine ?? new GenerationEngine();
    engine.setModel({ weights, config, version });
    if (!isSame) {
      loaded.set(name, { engine, scorer: new LogProbabilityScorer(weights, config) });
      if (before) void scoring.run(() => before.scorer.dispose());
    }
    return {
      contextLength: config.maxPositions,
      vocabularySize: config.vocabularySize,
      parameterCount: countParameters(weights),
      endTokenIds: loadSpecialTokenIds(folder).eos ?? [],
    };
  },

  generate: async ({ name, maxTokens, ...request }, { signal, emit }) => {
    const { engine } = find(name);
    const stream = engine.generate({ ...request, signal, ...(maxTokens === undefined ? {} : { maxTokens }) });
    await emit({ kind: 'started', version: stream.version });
    // Tokens that come while the last message is on its way go together in the next.
    let collected: TokenChoice[] = [];
    let sending: Promise<void> | undefined;
    const send = async (): Promise<void> => {
      while (collected.length > 0) {
        const tokens = collected;
        collected = [];
        await emit({ kind: 'tokens', tokens });
      }
    };
    for await (const token of stream.tokens) {
      collected.push(token);
      sending ??= send().finally(() => (sending = undefined));
    }
    await sending;
    await send();
    return { finish: await stream.finish };
  },

  score: async ({ name, sequences, temperature, alternatives }, { signal }) => {
    const { engine, scorer } = find(name);
    const { weights, config, version } = engine.model!;
    const score = async (): Promise<SequenceScore[]> => {
      const scores: SequenceScore[] = [];
      const atOnce = 32;
      for (let first = 0; first < sequences.length; first += atOnce) {
        throwIfCancelled(signal, 'scoring');
        const part = sequences.slice(first, first + atOnce);
        scores.push(...(await scorePart(scorer, weights, config.maxPositions, part, temperature, alternatives)));
      }
      return scores;
    };
    return { version, scores: await scoring.run(score, signal) };
  },
});

async function scorePart(
  scorer: LogProbabilityScorer,
  weights: ModelWeights,
  context: number,
  sequences: PolicyEngineMethods['score']['args']['sequences'],
  temperature: number,
  alternatives: number,
): Promise<SequenceScore[]> {
  const tokens = sequences.map(({ prompt, completion }) => [...prompt, ...completion]);
  const longest = Math.max(...tokens.map(({ length }) => length));
  const { packed, places } = packSequences(tokens, { time: rowTime(longest, context), pad: 0 });
  const at = sequences.flatMap(({ prompt, completion }, i) =>
    completion.map((_id, t) => places[i]![prompt.length - 1 + t]!),
  );
  const targets = sequences.flatMap(({ completion }) => completion);
  const values = await scorer.score(weights, packed, at, targets, temperature);
  const likely = alternatives > 0 ? await scorer.mostProbable(weights, packed, at, temperature, alternatives) : [];
  let next = 0;
  return sequences.map(({ completion }) => {
    const [first, last] = [next, (next += completion.length)];
    return { logProbabilities: [...values.subarray(first, last)], alternatives: likely.slice(first, last) };
  });
}

function find(name: string): Loaded {
  const found = loaded.get(name);
  if (!found) throw new CrucibleError('not-found', `model ${name} is not loaded`, { at: 'model' });
  return found;
}

function sameConfig(model: ServedModel | undefined, config: object): boolean {
  return JSON.stringify(model?.config) === JSON.stringify(config);
}
