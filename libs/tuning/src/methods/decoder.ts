/**
 * The same task for a decoder: it reads the prompt up to the place of the answer and says how likely each label's words come
 * next. What is learned is everything, LoRA, a prefix, a soft prompt (Lester et al. 2021), or nothing; then the prompt may
 * hold solved examples (Brown et al. 2020).
 */
import { type ModelDescription, saveAdapter, type SavedAdapter, saveModel } from '@crucible/checkpoint';
import { invalidInput, Random } from '@crucible/foundation';
import { blockHeight, LogProbabilityScorer, packSequences, rowTime } from '@crucible/inference';
import type { DecoderConfig, ModelWeights } from '@crucible/nn';
import { countParameters } from '@crucible/optim';
import { saveTokenizer, type Tokenizer } from '@crucible/tokenizer';
import {
  adapterDefaults,
  type AdapterSettings,
  finiteChats,
  newAdapter,
  sft,
  type TokenizedChat,
} from '@crucible/training';
import { accuracyOf, type Method, type TunedModel } from '../method.ts';
import { type SavedPrompt, savePrompt } from '../saved-prompt.ts';
import type { LabelledText } from '../task.ts';
import { type Template, TemplateEncoder, type TemplateInput } from '../template.ts';
import { calibrated, createVerbalizer, type LabelWords, meanDistribution, type Verbalizer } from '../verbalizer.ts';

export interface CausalModel {
  readonly weights: ModelWeights;
  readonly config: DecoderConfig;
  readonly tokenizer: Tokenizer;
  /** Where it comes from: an adapter's folder names it. */
  readonly base: string;
  /** One that it already has; it can be asked, and is not trained further. */
  readonly adapter?: SavedAdapter;
}

/** What of a decoder is learned: all of it, or an adapter. */
export type DecoderMethodKind = 'full' | 'lora' | 'prefix' | 'soft-prompt';

export interface DecoderOptions {
  readonly template: Template;
  readonly words: LabelWords;
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
      }
      const saved: SavedAdapter | undefined = adapter && { config: adapter.config, parameters: learned };
      const after = { weights: adapter ? weights : learned, ...(saved && { adapter: saved }) };
      const tuned = { ...reader.tuned(after.weights, saved), changed: () => after };
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

/** Prompts for a decoder, and the probabilities of labels after them. */
class CausalReader {
  readonly #model: CausalModel;
  readonly #options: DecoderOptions;
  readonly #verbalizer: Verbalizer;
  readonly #encoder: TemplateEncoder;
  readonly #longestAnswer: number;
  readonly #context: number;
  #demonstrations: number[][] = [];

  /** `virtual`: tokens of the context that an adapter takes. */
  constructor(model: CausalModel, options: DecoderOptions, labels: readonly string[], virtual: number) {
    const { tokenizer, config } = model;
    this.#model = model;
    this.#options = options;
    this.#verbalizer = createVerbalizer(labels, options.words, tokenizer);
    this.#longestAnswer = Math.max(...this.#verbalizer.tokens.flat().map(({ length }) => length));
    this.#context = config.maxPositions - virtual;
    this.#encoder = new TemplateEncoder(options.template, tokenizer, {
      kind: 'causal',
      longest: this.#context - this.#longestAnswer,
    });
    if (this.#encoder.softTokens.length > 0) {
      throw invalidInput('template: virtual tokens of a decoder are those of its adapter; {soft} is for encoders', {
        at: 'template',
      });
    }
  }

  /** A prompt and the label's first word, which is what is learned. */
  chat(example: LabelledText): TokenizedChat {
    const prompt = this.#prompt(example);
    const [answer] = this.#verbalizer.tokens[example.label] as [readonly number[]];
    return { ids: [...prompt, ...answer], answerMask: [...prompt.map(() => false), ...answer.map(() => true)] };
  }

  /** Solved examples that come before every prompt; fewer, from the last back, where they do not fit. */
  demonstrate(examples: readonly LabelledText[]): void {
    const separator = this.#model.tokenizer.encode('\n');
    this.#demonstrations = examples.map((example) => [...this.chat(example).ids, ...separator]);
  }

  /** `asked`: what besides template and words belongs to how it is asked. */
  tuned(
    weights: ModelWeights,
    adapter: SavedAdapter | undefined,
    asked: Pick<SavedPrompt, 'shown' | 'prior'> = {},
  ): TunedModel {
    const { config, tokenizer, base } = this.#model;
    const scorer = new LogProbabilityScorer(weights, config, adapter ? { adapter } : {});
    const allParameters = countParameters(weights) + (adapter ? countParameters(adapter.parameters) : 0);
    return {
      predict: (inputs) => this.#predict(scorer, weights, inputs),
      trainedParameters: adapter ? countParameters(adapter.parameters) : countParameters(weights),
      allParameters,
      save: (folder) => {
        const model: ModelDescription = { kind: 'language', config };
        if (adapter) saveAdapter(folder, adapter, model, base);
        else saveModel(folder, { kind: 'language', config, weights }, { pad: tokenizer.padId ?? 0 });
        saveTokenizer(tokenizer, folder);
        const { template, words } = this.#options;
        const { labels } = this.#verbalizer;
        savePrompt(folder, { labels, template: template.source, words, ...asked });
      },
      dispose: () => scorer.dispose(),
    };
  }

  #prompt(input: TemplateInput): number[] {
    const own = this.#encoder.encode(input).ids;
    let room = this.#context - this.#longestAnswer - own.length;
    const before: number[][] = [];
    for (const demonstration of this.#demonstrations.toReversed()) {
      if (demonstration.length > room) break;
      room -= demonstration.length;
      before.unshift(demonstration);
    }
    return [...before.flat(), ...own];
  }

  /** Of each label the probability that one of its words comes next, made to add up to one over the labels. */
  async #predict(
    scorer: LogProbabilityScorer,
    weights: ModelWeights,
    inputs: readonly TemplateInput[],
  ): Promise<number[][]> {
    const { tokenizer } = this.#model;
    const words = this.#verbalizer.tokens.flatMap((own) => own.map((ids) => ({ ids })));
    const result: number[][] = [];
    for (let start = 0; start < inputs.length; start += predictedAtOnce) {
      const prompts = inputs.slice(start, start + predictedAtOnce).map((input) => this.#prompt(input));
      const sequences = prompts.flatMap((prompt) => words.map(({ ids }) => [...prompt, ...ids]));
      const longest = Math.max(...sequences.map(({ length }) => length));
      const time = rowTime(longest, this.#context);
      const { packed, places } = packSequences(sequences, {
        time,
        pad: tokenizer.padId ?? 0,
        rowMultiple: blockHeight(time),
      });
      const at: number[] = [];
      const targets: number[] = [];
      places.forEach((place, i) => {
        const { ids } = words[i % words.length]!;
        ids.forEach((id, n) => {
          at.push(place[place.length - ids.length + n - 1]!);
          targets.push(id);
        });
      });
      const values = await scorer.score(weights, packed, at, targets, 1);
      const lengths = sequences.map((_sequence, i) => words[i % words.length]!.ids.length);
      let next = 0;
      const sums = lengths.map((length) => {
        const own = values.subarray(next, (next += length));
        return own.reduce((sum, value) => sum + value, 0);
      });
      for (let first = 0; first < sums.length; first += words.length)
        result.push(this.#shares(sums.slice(first, first + words.length)));
    }
    return result;
  }

  /** Of the labels, from the log-probabilities of all words, one label's after the other's. */
  #shares(logs: readonly number[]): number[] {
    const largest = Math.max(...logs);
    let next = 0;
    const shares = this.#verbalizer.tokens.map((own) =>
      own.reduce((sum) => sum + Math.exp(logs[next++]! - largest), 0),
    );
    const total = shares.reduce((sum, share) => sum + share, 0);
    return shares.map((share) => share / total);
  }
}

const predictedAtOnce = 64;
