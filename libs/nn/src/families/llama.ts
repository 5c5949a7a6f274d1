/** Llama (Touvron et al. 2023; Dubey et al. 2024), and what is made like it: TinyLlama, SmolLM2, our own models. */
import { canHaveInductionHeads, setInductionHeads } from '../induction-heads.ts';
import { formatRotaryConfig, parseRotaryConfig, type RotaryDecoderConfig, rotaryFamily } from '../rotary-decoder.ts';

export interface LlamaConfig extends RotaryDecoderConfig {
  readonly family: 'llama';
  /** Biases of the four projections of attention. Default: false. */
  readonly attentionBias?: boolean;
  /** Biases of the feed-forward network. Default: false. */
  readonly mlpBias?: boolean;
}

export const llama = rotaryFamily<LlamaConfig>({
  name: 'llama',
  className: 'Llama',
  traits: ({ attentionBias = false, mlpBias = false }) => ({
    queryKeyValueBias: attentionBias,
    outputBias: attentionBias,
    mlpBias,
    queryKeyNorm: false,
  }),
  parseConfig: (fields) => {
    fields.ignore('is_llama_config');
    return {
      family: 'llama',
      ...parseRotaryConfig(fields),
      ...(fields.flag('attention_bias', false) && { attentionBias: true }),
      ...(fields.flag('mlp_bias', false) && { mlpBias: true }),
    };
  },
  formatConfig: (config) => ({
    ...formatRotaryConfig(config),
    attention_bias: config.attentionBias ?? false,
    mlp_bias: config.mlpBias ?? false,
  }),
  // Where there is room, the first two layers and the head begin with what copies from the context.
  prepare: (config, weights) => {
    if (canHaveInductionHeads(config)) setInductionHeads(config, weights);
  },
});
