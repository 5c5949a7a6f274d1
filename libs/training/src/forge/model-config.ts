import { assertDecoderConfig, type LlamaConfig } from '@crucible/nn';
import type { ForgeSettings } from './presets.ts';

/** The sizes of a forge's models; throws, before any work, when they make no model. */
export function modelConfig({ model, vocabulary }: ForgeSettings, vocabularySize = vocabulary): LlamaConfig {
  const config: LlamaConfig = { family: 'llama', ...model, vocabularySize };
  assertDecoderConfig(config, 'model');
  return config;
}
