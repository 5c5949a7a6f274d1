/** Adapters of every kind: a few parameters of their own that change what a model computes, and leave its weights alone. */
import type { Tensor } from '@crucible/tensor';
import type { KeysAndValues } from '../decoder-family.ts';
import type { DecoderConfig } from '../families.ts';
import type { ParameterTree } from '../parameters.ts';
import { type LoraConfig, withLora } from './lora.ts';
import { type PrefixConfig, type PromptConfig, virtualPrefix } from './virtual-tokens.ts';

export type AdapterConfig = LoraConfig | PrefixConfig | PromptConfig;

export const adapterKinds = ['lora', 'prefix', 'prompt'] as const satisfies readonly AdapterConfig['kind'][];

/** What a decoder with an adapter is read with. */
export interface Adapted {
  readonly weights: ParameterTree<Tensor>;
  /** For `DecoderInput.prefix`. */
  readonly prefix: KeysAndValues | undefined;
}

/** A decoder with an adapter. `key`: a random key, in training, for what is dropped. */
export function adaptDecoder(
  weights: ParameterTree<Tensor>,
  model: DecoderConfig,
  parameters: ParameterTree<Tensor>,
  config: AdapterConfig,
  key?: Tensor,
): Adapted {
  if (config.kind === 'lora') return { weights: withLora(weights, parameters, config, key), prefix: undefined };
  return { weights, prefix: virtualPrefix(weights, model, parameters, config) };
}
