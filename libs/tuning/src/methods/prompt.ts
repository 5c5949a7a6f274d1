/**
 * Prompt tuning by words: the input stands in a template, and the encoder's own head says how likely each label's words are
 * at the mask (Schick & Schütze 2021; Gao et al. 2021). All of the encoder is learned, or the virtual tokens of the template
 * alone, or nothing.
 */
import { join } from 'node:path';
import { saveModel, tensorSources, writeSafetensors } from '@crucible/checkpoint';
import { CrucibleError, Random } from '@crucible/foundation';
import type { ModelWeights } from '@crucible/nn';
import type { NdArray } from '@crucible/tensor';
import { saveTokenizer } from '@crucible/tokenizer';
import { createReparametrization, foldReparametrization, type ReparametrizationSettings } from '@crucible/training';
import { EncoderClassifier, hidingOf } from '../encoder-classifier.ts';
import type { Method } from '../method.ts';
import { initSoftPrompt, type MaskedModel, promptOf, type PromptScope, promptTask, softName } from '../prompt-model.ts';
import { savePrompt } from '../saved-prompt.ts';
import type { LabelledText } from '../task.ts';
import { type Template, TemplateEncoder, type TemplateInput } from '../template.ts';
import { calibrated, createVerbalizer, type LabelWords, meanDistribution, type SeveralTokens } from '../verbalizer.ts';

export interface PromptOptions {
  /** Several: each is learned by itself, and their probabilities are averaged. */
  readonly templates: readonly Template[];
  readonly words: LabelWords;
  readonly scope: PromptScope;
  /** The network that virtual tokens are learned through. Default: none. */
  readonly reparametrization?: ReparametrizationSettings;
  /** What counts of a word of several tokens. Default: mean. */
  readonly severalTokens?: SeveralTokens;
  /**
   * Divides by what the model says of inputs that say nothing, `empty`, or in the mean over the training texts, `train`.
   * Default: none.
   */
  readonly calibration?: 'none' | 'empty' | 'train';
}

/** Texts that say nothing of a label. */
const emptyTexts = ['', '.', 'it'];

export function promptMethod(model: MaskedModel, options: PromptOptions): Method {
  const { config, tokenizer } = model;
  const { templates, words, scope, calibration = 'none' } = options;
  const names = { all: 'prompt', soft: 'soft-tokens', none: 'zero-shot' } as const;
  return {
    name: names[scope],
    train: async ({ labels, train, dev }, settings, context) => {
      const verbalizer = createVerbalizer(labels, words, tokenizer, {
        ...(options.severalTokens && { severalTokens: options.severalTokens }),
      });
      if (templates.length === 0)
        throw new CrucibleError('invalid-input', 'template: there is none', { at: 'template' });
      const members = templates.map((template) => {
        const encoder = new TemplateEncoder(template, tokenizer, { kind: 'masked', longest: config.maxPositions });
        const { softTokens } = encoder;
        const random = Random.seeded(settings.seed).fork('soft prompt');
        const soft = softTokens.length === 0 ? undefined : initSoftPrompt(model, softTokens, random);
        const network =
          soft && options.reparametrization && createReparametrization(soft, options.reparametrization, random);
        const classifier = new EncoderClassifier(promptTask(model, verbalizer, soft, scope, network), settings.threads);
        const prompts = (inputs: readonly TemplateInput[]) =>
          inputs.map((input) => promptOf(encoder.encode(input), config));
        const labelled = (examples: readonly LabelledText[]) =>
          prompts(examples).map((prompt, i) => ({ ...prompt, label: examples[i]!.label }));
        /** The virtual tokens as they are now. */
        const softTokensNow = async (): Promise<NdArray | undefined> => {
          const { [softName]: learned } = classifier.learned as Record<string, unknown>;
          return network && learned
            ? foldReparametrization(network, learned as ModelWeights)
            : ((learned as NdArray | undefined) ?? soft);
        };
        return { template, softTokensNow, classifier, prompts, labelled };
      });
      for (const { classifier, labelled } of members) {
        if (scope !== 'none')
          await classifier.train(labelled(train), labelled(dev), settings, context, hidingOf(tokenizer));
      }
      const predictWith = async ({ classifier, prompts }: (typeof members)[number], inputs: readonly TemplateInput[]) =>
        classifier.probabilities(prompts(inputs));
      const [softTokens] = await Promise.all(members.map((member) => member.softTokensNow()));
      const priors = await Promise.all(
        members.map(async (member) => {
          if (calibration === 'none') return undefined;
          const texts = emptyTexts.map((text) => ({ text, pair: text }));
          return meanDistribution(await predictWith(member, calibration === 'empty' ? texts : train));
        }),
      );
      return {
        predict: async (inputs) => {
          const each: number[][][] = [];
          for (const [i, member] of members.entries()) {
            const prior = priors[i];
            const own = await predictWith(member, inputs);
            each.push(prior ? own.map((row) => calibrated(row, prior)) : own);
          }
          return inputs.map((_input, n) => meanDistribution(each.map((rows) => rows[n]!)));
        },
        trainedParameters: members.reduce((sum, { classifier }) => sum + classifier.trainedParameters, 0),
        allParameters: Math.max(...members.map(({ classifier }) => classifier.allParameters)),
        ...(scope === 'all' &&
          members.length === 1 && {
            changed: () => {
              const all = Object.entries({ ...model.weights, ...members[0]!.classifier.learned });
              return { weights: Object.fromEntries(all.filter(([name]) => name !== softName)) };
            },
          }),
        save: (folder) => {
          const [{ template, classifier }] = members as [(typeof members)[number]];
          if (members.length > 1) {
            throw new CrucibleError(
              'failed-precondition',
              `an ensemble of ${members.length} templates is no one model`,
            );
          }
          const learned = Object.entries(classifier.learned).filter(([name]) => name !== softName);
          const weights = { ...model.weights, ...Object.fromEntries(learned) } as ModelWeights;
          saveModel(folder, { kind: 'masked-language', config, weights }, { pad: tokenizer.padId ?? 0 });
          saveTokenizer(tokenizer, folder);
          if (softTokens)
            writeSafetensors(join(folder, 'soft_prompt.safetensors'), tensorSources({ [softName]: softTokens }));
          const prompt = { labels, template: template.source, words, severalTokens: verbalizer.severalTokens };
          savePrompt(folder, { ...prompt, ...(priors[0] && { prior: priors[0] }) });
        },
        dispose: async () => {
          for (const { classifier } of members) await classifier.dispose();
        },
      };
    },
  };
}
