/**
 * The same task for a decoder: it reads the prompt up to the place of the answer and says how likely each label's words come
 * next. What is learned is everything, LoRA, a prefix, a soft prompt (Lester et al. 2021), or nothing; then the prompt may
 * hold solved examples (Brown et al. 2020).
 */
import type { SavedAdapter } from '@crucible/checkpoint';
import { Random, throwIfCancelled } from '@crucible/foundation';
import type { DecoderConfig, ModelWeights } from '@crucible/nn';
import { countParameters, warmupDecay } from '@crucible/optim';
import {
  adapterDefaults,
  adapterOptimizer,
  type AdapterSettings,
  decoderOptimizer,
  dropoutKey,
  EpochOrder,
  newAdapter,
  reparametrizationOf,
  trainingPlan,
  TrainStep,
} from '@crucible/training';
import { accuracyOf, type Method, type TuneContext, type TuneSettings } from '../method.ts';
import type { LabelledText } from '../task.ts';
import { calibrated, meanDistribution } from '../verbalizer.ts';
import { type CausalModel, type CausalPrompt, CausalReader } from './causal-reader.ts';
import {
  type ChoiceBatch,
  choiceBatch,
  choiceLoss,
  type ChoiceShape,
  choiceTime,
  type ChoiceExample,
} from './label-choice.ts';

/** What of a decoder is learned: all of it, or an adapter. */
export type DecoderMethodKind = 'full' | 'lora' | 'prefix' | 'soft-prompt';

export interface DecoderOptions extends CausalPrompt {
  /** Of an adapter: rank, virtual tokens, what they begin as. */
  readonly adapter?: Partial<Omit<AdapterSettings, 'kind'>>;
}

const adapterKindOf = { full: 'none', lora: 'lora', prefix: 'prefix', 'soft-prompt': 'prompt' } as const;

/** A decoder, or an adapter of one, that is learned on prompts with their answers. */
export function decoderMethod(model: CausalModel, kind: DecoderMethodKind, options: DecoderOptions): Method {
  return {
    name: kind,
    train: async ({ labels, train, dev }, settings, context = {}) => {
      const { weights, config, tokenizer } = model;
      const adapterSettings = { ...adapterDefaults, ...options.adapter, kind: adapterKindOf[kind] };
      const adapter = await newAdapter(adapterSettings, {
        base: weights,
        config,
        head: { kind: 'language' },
        seed: settings.seed,
        encode: (text) => tokenizer.encode(text),
      });
      const virtual = virtualTokens(adapter);
      const reader = new CausalReader(model, options, labels, virtual);
      const { learned, trainedParameters } = await trainChoice(
        { config, base: weights, adapter, adapterSettings },
        { examples: train.map((example) => reader.labelled(example)), shape: reader.choice },
        settings,
        context,
      );
      const saved: SavedAdapter | undefined = adapter && { config: adapter.config, parameters: learned };
      const after = { weights: adapter ? weights : learned, ...(saved && { adapter: saved }) };
      const tuned = {
        ...reader.tuned(after.weights, saved),
        changed: () => after,
        trainedParameters,
      };
      if (context.report && dev.length > 0 && settings.steps > 0) {
        const { steps } = settings;
        context.report({ step: steps, steps, loss: NaN, dev: accuracyOf(await tuned.predict(dev), dev) });
      }
      return tuned;
    },
  };
}

interface Learner {
  readonly config: DecoderConfig;
  readonly base: ModelWeights;
  readonly adapter: SavedAdapter | undefined;
  readonly adapterSettings: AdapterSettings;
}

/** Returns the model or the adapter's parameters, and how many numbers were learned, a network that is dropped included. */
async function trainChoice(
  { config, base, adapter, adapterSettings }: Learner,
  { examples, shape }: { readonly examples: readonly ChoiceExample[]; readonly shape: ChoiceShape },
  { seed, steps, rows, learningRate, weightDecay, warmupShare, threads }: TuneSettings,
  { signal, report }: TuneContext,
): Promise<{ readonly learned: ModelWeights; readonly trainedParameters: number }> {
  const plan = trainingPlan(base, config, adapter, reparametrizationOf(adapter, adapterSettings, seed));
  const clip = { clipNorm: 1, weightDecay };
  const training = new TrainStep<ModelWeights, ChoiceBatch, ModelWeights>(
    plan.parameters,
    (parameters, batch, frozen) => {
      const { weights, prefix } = plan.read(parameters, frozen, batch[dropoutKey]);
      return { loss: choiceLoss(weights, config, batch, prefix) };
    },
    {
      name: 'tuning',
      optimizer: adapter
        ? adapterOptimizer(clip)
        : decoderOptimizer({ ...clip, config, head: { kind: 'language' }, optimizer: 'adamw' }),
      frozen: plan.frozen,
      ...(threads > 0 && { threads }),
    },
  );
  const warmup = Math.max(1, Math.round(warmupShare * steps));
  const schedule = warmupDecay({ steps, warmup, decayShare: 1, shape: 'linear' });
  const time = choiceTime(examples, shape);
  const order = new EpochOrder(examples, Random.seeded(seed));
  try {
    for (let step = 0; step < steps; step++) {
      throwIfCancelled(signal, 'tuning');
      const drawn = order.batch(step, rows);
      const batch = { ...choiceBatch(drawn, { ...shape, time }), ...plan.randomness(seed, step) };
      const { loss } = await training.run(batch, learningRate * schedule(step));
      report?.({ step: step + 1, steps, loss });
    }
    const { parameters } = await training.lent();
    return { learned: await plan.kept(parameters), trainedParameters: countParameters(parameters) };
  } finally {
    await training.dispose();
  }
}

/** Tokens of the context that an adapter takes. */
function virtualTokens(adapter: SavedAdapter | undefined): number {
  return adapter && adapter.config.kind !== 'lora' ? adapter.config.tokens : 0;
}

export interface InContextOptions extends DecoderOptions {
  /** Solved examples of each label before the question; 0: none. */
  readonly shots: number;
  /** Those that are shown, in their order. Default: they are drawn. */
  readonly shown?: readonly LabelledText[];
  /** As for prompts of encoders. Default: none. */
  readonly calibration?: 'none' | 'empty';
}

/** Zero-shot and few-shot prompts: nothing is learned. */
export function inContextMethod(model: CausalModel, options: InContextOptions): Method {
  return {
    name: options.shots === 0 ? 'zero-shot' : `in-context-${options.shots}`,
    train: async ({ labels, train }, settings) => {
      const reader = new CausalReader(model, options, labels, virtualTokens(model.adapter));
      const random = Random.seeded(settings.seed).fork('demonstrations');
      const draw = (): LabelledText[] => {
        const chosen = labels.flatMap((_label, label) =>
          random.sample(
            train.filter((example) => example.label === label),
            options.shots,
          ),
        );
        return random.shuffled(chosen);
      };
      const shown = options.shown ?? draw();
      reader.demonstrate(shown);
      const tuned = reader.tuned(model.weights, model.adapter, { shown });
      if (options.calibration !== 'empty') return { ...tuned, trainedParameters: 0 };
      const prior = meanDistribution(await tuned.predict(['', '.', 'it'].map((text) => ({ text, pair: text }))));
      return {
        ...reader.tuned(model.weights, model.adapter, { shown, prior }),
        trainedParameters: 0,
        predict: async (inputs) => (await tuned.predict(inputs)).map((row) => calibrated(row, prior)),
      };
    },
  };
}
