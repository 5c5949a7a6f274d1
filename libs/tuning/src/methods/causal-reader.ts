/** Prompts of one template for a decoder, and how likely each label's words come next. */
import { type ModelDescription, saveAdapter, type SavedAdapter, saveModel } from '@crucible/checkpoint';
import { invalidInput } from '@crucible/foundation';
import { LogProbabilityScorer } from '@crucible/inference';
import type { DecoderConfig, ModelWeights } from '@crucible/nn';
import { countParameters } from '@crucible/optim';
import { saveTokenizer, type Tokenizer } from '@crucible/tokenizer';
import { scoreContinuations } from '../continuations.ts';
import type { TunedModel } from '../method.ts';
import { type SavedPrompt, savePrompt } from '../saved-prompt.ts';
import type { LabelledText } from '../task.ts';
import { type Template, TemplateEncoder, type TemplateInput } from '../template.ts';
import { createVerbalizer, type LabelWords, type Verbalizer } from '../verbalizer.ts';
import type { ChoiceShape, ChoiceExample } from './label-choice.ts';

export interface CausalModel {
  readonly weights: ModelWeights;
  readonly config: DecoderConfig;
  readonly tokenizer: Tokenizer;
  /** Where it comes from: an adapter's folder names it. */
  readonly base: string;
  /** One that it already has; it can be asked, and is not trained further. */
  readonly adapter?: SavedAdapter;
}

/** How a decoder is asked for a label. */
export interface CausalPrompt {
  readonly template: Template;
  readonly words: LabelWords;
}

/** Prompts for a decoder, and the probabilities of labels after them. */
export class CausalReader {
  readonly #model: CausalModel;
  readonly #options: CausalPrompt;
  readonly #verbalizer: Verbalizer;
  readonly #encoder: TemplateEncoder;
  readonly #longestAnswer: number;
  readonly #context: number;
  #demonstrations: number[][] = [];

  /** `virtual`: tokens of the context that an adapter takes. */
  constructor(model: CausalModel, options: CausalPrompt, labels: readonly string[], virtual: number) {
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

  /** What prompts are learned by. */
  get choice(): ChoiceShape {
    const pad = this.#model.tokenizer.padId ?? 0;
    return { words: this.#verbalizer.tokens, context: this.#context, pad };
  }

  labelled(example: LabelledText): ChoiceExample {
    return { prompt: this.prompt(example), label: example.label };
  }

  /** Solved examples, each with its label's first word, that come before every prompt; fewer, from the last back, where they do not fit. */
  demonstrate(examples: readonly LabelledText[]): void {
    const separator = this.#model.tokenizer.encode('\n');
    this.#demonstrations = examples.map((example) => {
      const [answer] = this.#verbalizer.tokens[example.label] as [readonly number[]];
      return [...this.prompt(example), ...answer, ...separator];
    });
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
        savePrompt(folder, { labels: this.#verbalizer.labels, template: template.source, words, ...asked });
      },
      dispose: () => scorer.dispose(),
    };
  }

  /** The tokens that the answer comes after. */
  prompt(input: TemplateInput): number[] {
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
    const { continuations } = this;
    const pad = this.#model.tokenizer.padId ?? 0;
    const logs = await scoreContinuations(
      scorer,
      weights,
      inputs.map((input) => ({ prompt: this.prompt(input), continuations })),
      { context: this.#context, pad },
    );
    return logs.map((own) => this.shares(own));
  }

  /** All words of all labels, one label's after the other's. */
  get continuations(): readonly (readonly number[])[] {
    return this.#verbalizer.tokens.flat();
  }

  /** Probabilities of the labels, from the log-probabilities of the continuations. */
  shares(logs: readonly number[]): number[] {
    const largest = Math.max(...logs);
    let next = 0;
    const shares = this.#verbalizer.tokens.map((own) =>
      own.reduce((sum) => sum + Math.exp(logs[next++]! - largest), 0),
    );
    const total = shares.reduce((sum, share) => sum + share, 0);
    return shares.map((share) => share / total);
  }
}
