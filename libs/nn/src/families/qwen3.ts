/** Qwen3: Llama with a norm of every head's queries and keys, and a size of heads of its own. */
import {
  formatRotaryConfig,
  formatSlidingWindow,
  parseRotaryConfig,
  parseSlidingWindow,
  type RotaryDecoderConfig,
  rotaryFamily,
} from '../rotary-decoder.ts';

export interface Qwen3Config extends RotaryDecoderConfig {
  readonly family: 'qwen3';
  /** Biases of the four projections of attention. Default: false. */
  readonly attentionBias?: boolean;
}

export const qwen3 = rotaryFamily<Qwen3Config>({
  name: 'qwen3',
  className: 'Qwen3',
  traits: ({ attentionBias = false }) => ({
    queryKeyValueBias: attentionBias,
    outputBias: attentionBias,
    mlpBias: false,
    queryKeyNorm: true,
  }),
  parseConfig: (fields) => {
    // Where it is left out, transformers takes 128 and not hidden_size / num_attention_heads.
    const size = fields.number('head_dim', 128);
    const config = parseRotaryConfig(fields);
    return {
      family: 'qwen3',
      ...config,
      ...(size !== config.hiddenSize / config.heads && { headSize: size }),
      ...(fields.flag('attention_bias', false) && { attentionBias: true }),
      ...parseSlidingWindow(fields, config.layers),
    };
  },
  formatConfig: (config) => ({
    ...formatRotaryConfig(config),
    ...formatSlidingWindow(config),
    attention_bias: config.attentionBias ?? false,
  }),
});
