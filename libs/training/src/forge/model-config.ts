import { assertGenerates } from '@crucible/inference';
import { assertLlamaConfig, type LlamaConfig } from '@crucible/nn';
import type { ForgeSettings } from './presets.ts';

/** The sizes of a forge's models; throws, before any work, when they cannot be trained or decoded. */
export function modelConfig({ model, vocabulary }: ForgeSettings, vocabularySize = vocabulary): LlamaConfig {
  const config: LlamaConfig = { ...model, vocabularySize };
  assertLlamaConfig(config, 'model');
  assertGenerates(config);
  return config;
}
