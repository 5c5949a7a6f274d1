/** What config.json says a folder holds: the registry of architectures. */
import {
  type AnyDecoderFamily,
  type AnyEncoderFamily,
  ConfigFields,
  type DecoderConfig,
  decoderFamilies,
  type EncoderConfig,
  encoderFamilies,
} from '@crucible/nn';
import { isRecord } from './is-record.ts';
import type { JsonObject } from './json-file.ts';

/**
 * `language`: predicts the next token. `scalar`: one number a token, a reward or value model. `classifier`: labels of
 * whole sequences. `masked-language`: predicts tokens that are masked. `embedding`: a vector for a text.
 */
export type ModelKind = 'language' | 'scalar' | 'classifier' | 'masked-language' | 'embedding';

export type Described =
  | {
      readonly kind: 'language' | 'scalar' | 'classifier';
      readonly family: AnyDecoderFamily;
      readonly config: DecoderConfig;
      readonly labels: readonly string[];
    }
  | {
      readonly kind: 'classifier' | 'masked-language' | 'embedding';
      readonly family: AnyEncoderFamily;
      readonly config: EncoderConfig;
      readonly labels: readonly string[];
    };

interface Architecture {
  readonly family: AnyDecoderFamily | AnyEncoderFamily;
  readonly kind: Exclude<ModelKind, 'scalar'>;
}

const architectures = new Map<string, Architecture>([
  ...decoderFamilies.flatMap((family): [string, Architecture][] => [
    [architectureOf(family, 'language'), { family, kind: 'language' }],
    [architectureOf(family, 'classifier'), { family, kind: 'classifier' }],
  ]),
  ...encoderFamilies.flatMap((family): [string, Architecture][] => [
    [architectureOf(family, 'embedding'), { family, kind: 'embedding' }],
    [architectureOf(family, 'masked-language'), { family, kind: 'masked-language' }],
    [architectureOf(family, 'classifier'), { family, kind: 'classifier' }],
  ]),
]);

/** The name of the class of transformers for a kind of model. */
export function architectureOf(family: AnyDecoderFamily | AnyEncoderFamily, kind: ModelKind): string {
  switch (kind) {
    case 'language':
      return 'languageClass' in family ? family.languageClass : `${family.className}ForCausalLM`;
    case 'scalar':
    case 'classifier':
      return `${family.className}ForSequenceClassification`;
    case 'masked-language':
      return `${family.className}ForMaskedLM`;
    case 'embedding':
      return `${family.className}Model`;
  }
}

/**
 * What a config.json describes, by its `architectures` or else its `model_type`. `wanted`: the kind of model to make of
 * it where its body serves several, as an embedding of an encoder with another head.
 */
export function describe(json: JsonObject, path: string, wanted?: ModelKind): Described {
  const fields = new ConfigFields(json, path);
  const { family, kind: own } = find(json, fields);
  const labels = parseLabels(json, fields);
  const named = own === 'classifier' && labels.length === 1 && isDecoder(family) ? 'scalar' : own;
  const kind = wanted === undefined || wanted === named ? named : converted(named, wanted, family, fields);
  const config = family.parseConfig(fields);
  fields.finish();
  return { kind, family, config, labels } as Described;
}

export function isDecoder(family: AnyDecoderFamily | AnyEncoderFamily): family is AnyDecoderFamily {
  return 'hidden' in family;
}

function find(json: JsonObject, fields: ConfigFields): Architecture {
  const modelType = json['model_type'];
  const named: unknown = Array.isArray(json['architectures']) ? json['architectures'][0] : undefined;
  if (typeof named === 'string') {
    const found = architectures.get(named);
    if (!found) {
      return fields.fail(
        `architectures is ${JSON.stringify(json['architectures'])}; supported are ${[...architectures.keys()].join(', ')}`,
      );
    }
    if (modelType !== undefined && modelType !== found.family.name)
      fields.fail(`model_type is ${JSON.stringify(modelType)}, which is not that of ${named}`);
    return found;
  }
  const decoder = decoderFamilies.find(({ name }) => name === modelType);
  if (decoder) return { family: decoder, kind: 'language' };
  const encoder = encoderFamilies.find(({ name }) => name === modelType);
  if (encoder) return { family: encoder, kind: 'embedding' };
  const known = [...decoderFamilies, ...encoderFamilies].map(({ name }) => name);
  return fields.fail(
    `architectures is ${JSON.stringify(json['architectures'])} and model_type ${JSON.stringify(modelType)}; supported are ${[...architectures.keys()].join(', ')}, or without architectures the model types ${known.join(', ')}`,
  );
}

function converted(
  own: ModelKind,
  wanted: ModelKind,
  family: AnyDecoderFamily | AnyEncoderFamily,
  fields: ConfigFields,
): ModelKind {
  if (wanted === 'embedding' && !isDecoder(family)) return wanted;
  return fields.fail(`it holds a model of the kind ${own}; one of the kind ${wanted} is needed`);
}

/** Names of the labels in the order of their numbers; transformers leaves out what is its default. */
function parseLabels(json: JsonObject, fields: ConfigFields): string[] {
  const names = json['id2label'] ?? undefined;
  const given = json['num_labels'] ?? undefined;
  if (names === undefined) {
    const count = given ?? 2;
    if (!Number.isInteger(count) || (count as number) < 1)
      fields.fail(`num_labels is ${JSON.stringify(count)}; a whole number from 1 is needed`);
    return Array.from({ length: count as number }, (_, i) => `LABEL_${i}`);
  }
  if (!isRecord(names)) return fields.fail('id2label is no object');
  const labels = Array.from({ length: Object.keys(names).length }, (_, i) => names[String(i)]);
  if (labels.length === 0 || !labels.every((label): label is string => typeof label === 'string'))
    return fields.fail('id2label does not name the labels 0, 1, 2, …');
  return labels;
}
