/** The registry of families. A family is a file in families/; here it gets its place in the union of configurations. */
import type { DecoderFamily } from './decoder-family.ts';
import type { EncoderFamily } from './encoder-family.ts';
import { bert, type BertConfig } from './families/bert.ts';
import { gpt2, type Gpt2Config } from './families/gpt2.ts';
import { llama, type LlamaConfig } from './families/llama.ts';
import { qwen2, type Qwen2Config } from './families/qwen2.ts';
import { qwen3, type Qwen3Config } from './families/qwen3.ts';
import { roberta, type RobertaConfig } from './families/roberta.ts';

export type DecoderConfig = LlamaConfig | Qwen2Config | Qwen3Config | Gpt2Config;

export type EncoderConfig = BertConfig | RobertaConfig;

/** A family that takes every configuration; only its own may be given to it. */
export type AnyDecoderFamily = DecoderFamily<DecoderConfig>;

/** Likewise. */
export type AnyEncoderFamily = EncoderFamily<EncoderConfig>;

export const decoderFamilies = [llama, qwen2, qwen3, gpt2] as unknown as readonly AnyDecoderFamily[];

export const encoderFamilies = [bert, roberta] as unknown as readonly AnyEncoderFamily[];

const decoders = new Map(decoderFamilies.map((family) => [family.name, family]));

const encoders = new Map(encoderFamilies.map((family) => [family.name, family]));

export function decoderFamily({ family }: Pick<DecoderConfig, 'family'>): AnyDecoderFamily {
  return decoders.get(family)!;
}

export function encoderFamily({ family }: Pick<EncoderConfig, 'family'>): AnyEncoderFamily {
  return encoders.get(family)!;
}

/** Throws when the sizes do not make a model; `where` names their source. */
export function assertDecoderConfig(config: DecoderConfig, where: string): void {
  decoderFamily(config).assertConfig(config, where);
}
