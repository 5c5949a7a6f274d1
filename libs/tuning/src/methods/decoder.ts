/**
 * The same task for a decoder: it reads the prompt up to the place of the answer and says how likely each label's words come
 * next. What is learned is everything, LoRA, a prefix, a soft prompt (Lester et al. 2021), or nothing; then the prompt may
 * hold solved examples (Brown et al. 2020).
 */
import type { SavedAdapter } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { adapterDefaults, type AdapterSettings, finiteChats, newAdapter, sft } from '@crucible/training';
import { accuracyOf, type Method } from '../method.ts';
import type { LabelledText } from '../task.ts';
import { calibrated, meanDistribution } from '../verbalizer.ts';
import { type CausalModel, type CausalPrompt, CausalReader } from './causal-reader.ts';

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
      const chats = train.map((example) => reader.chat(example));
      const longest = Math.max(...chats.map(({ ids }) => ids.length));
      const time = Math.min(config.maxPositions - virtual, 32 * Math.ceil(longest / 32));
      const { steps, rows, learningRate, weightDecay, seed } = settings;
      let learned = adapter?.parameters ?? weights;
      let trainedParameters: number | undefined;
      if (steps > 0) {
        const result = await sft(
          {
            config,
            base: weights,
            source: finiteChats(chats, { seed, pad: tokenizer.padId ?? 0 }),
            ...(adapter && { adapter }),
          },
          {
            ...{ seed, steps, rows, time, learningRate, weightDecay },
            optimizer: 'adamw',
            warmupSteps: Math.max(1, Math.round(settings.warmupShare * steps)),
            decayShare: 1,
            adapter: adapterSettings,
          },
          {
            ...(context.signal && { signal: context.signal }),
            observe: ({ step, metrics }) => context.report?.({ step, steps, loss: metrics['loss']! }),
          },
        );
        learned = result.weights;
        trainedParameters = result.trainedParameters;
      }
      const saved: SavedAdapter | undefined = adapter && { config: adapter.config, parameters: learned };
      const after = { weights: adapter ? weights : learned, ...(saved && { adapter: saved }) };
      const tuned = {
        ...reader.tuned(after.weights, saved),
        changed: () => after,
        ...(trainedParameters !== undefined && { trainedParameters }),
      };
      if (context.report && dev.length > 0 && steps > 0) {
        context.report({ step: steps, steps, loss: NaN, dev: accuracyOf(await tuned.predict(dev), dev) });
      }
      return tuned;
    },
  };
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
