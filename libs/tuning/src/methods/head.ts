/** Classic fine-tuning (Devlin et al. 2019): a new head on the first token, learned alone or with all of the encoder. */
import { saveModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { classifierLogits, encode, encoderFamily, initEncoder, type ModelWeights } from '@crucible/nn';
import { saveTokenizer, type Tokenizer } from '@crucible/tokenizer';
import { EncoderClassifier, type EncoderPrompt, hidingOf } from '../encoder-classifier.ts';
import type { Method } from '../method.ts';
import type { MaskedModel } from '../prompt-model.ts';
import type { TemplateInput } from '../template.ts';

/** `head`: the encoder stays as it is. */
export type HeadScope = 'all' | 'head';

export function headMethod(model: MaskedModel, scope: HeadScope): Method {
  const { config, tokenizer } = model;
  return {
    name: scope === 'all' ? 'fine-tuning' : 'head-only',
    train: async ({ labels, train, dev }, settings, context) => {
      const { body } = encoderFamily(config);
      const head = { kind: 'classifier', labels: labels.length } as const;
      const random = Random.seeded(settings.seed).fork('head');
      const own = model.weights[body] as ModelWeights;
      const { [body]: fresh, ...rest } = initEncoder(config, head, random);
      // The pooler is part of the head: pre-training on masked words has not learned it.
      const { pooler } = fresh as ModelWeights;
      const newPart: ModelWeights = { ...rest, ...(pooler !== undefined && { pooler }) };
      const [learned, frozen] = scope === 'all' ? [{ encoder: own, ...newPart }, {}] : [newPart, { encoder: own }];
      const joined = ({ encoder, pooler: top, ...others }: Record<string, unknown>): unknown => ({
        ...others,
        [body]: { ...(encoder as object), ...(top !== undefined && { pooler: top }) },
      });
      const classifier = new EncoderClassifier(
        {
          config,
          learned: learned,
          frozen: frozen,
          scores: (mine, others, { ids, mask, types }) => {
            const weights = joined({ ...others, ...mine }) as typeof mine;
            return classifierLogits(weights, config, encode(weights, config, { ids, mask, types }));
          },
        },
        settings.threads,
      );
      const promptsOf = (inputs: readonly TemplateInput[]) =>
        inputs.map((input) => ({ ...plainPrompt(tokenizer, input, config.maxPositions), label: labelOf(input) }));
      await classifier.train(promptsOf(train), promptsOf(dev), settings, context, hidingOf(tokenizer));
      return {
        predict: (inputs) => classifier.probabilities(promptsOf(inputs)),
        trainedParameters: classifier.trainedParameters,
        allParameters: classifier.allParameters,
        ...(scope === 'all' && {
          changed: () => ({ weights: { ...model.weights, [body]: classifier.learned['encoder']! } }),
        }),
        save: (folder) => {
          const weights = joined({ ...frozen, ...classifier.learned }) as ModelWeights;
          saveModel(folder, { kind: 'classifier', config, labels, weights }, { pad: tokenizer.padId ?? 0 });
          saveTokenizer(tokenizer, folder);
        },
        dispose: () => classifier.dispose(),
      };
    },
  };
}

function labelOf(input: TemplateInput): number {
  return 'label' in input && typeof input.label === 'number' ? input.label : 0;
}

/** A text, or a pair, between the special tokens; what is too long loses its end. */
export function plainPrompt(tokenizer: Tokenizer, { text, pair }: TemplateInput, longest: number): EncoderPrompt {
  const { ids, typeIds } = tokenizer.tokenize(text, pair === undefined ? {} : { pair });
  if (ids.length <= longest) return { ids, types: typeIds, at: 0 };
  return { ids: [...ids.slice(0, longest - 1), ids.at(-1)!], types: typeIds.slice(0, longest), at: 0 };
}
