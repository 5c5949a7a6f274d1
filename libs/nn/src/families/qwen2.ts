/** Qwen2 and Qwen2.5: Llama with biases of queries, keys and values. */
import {
  formatRotaryConfig,
  formatSlidingWindow,
  parseRotaryConfig,
  parseSlidingWindow,
  type RotaryDecoderConfig,
  rotaryFamily,
} from '../rotary-decoder.ts';

export interface Qwen2Config extends RotaryDecoderConfig {
  readonly family: 'qwen2';
}

export const qwen2 = rotaryFamily<Qwen2Config>({
  name: 'qwen2',
  className: 'Qwen2',
  traits: () => ({ queryKeyValueBias: true, outputBias: false, mlpBias: false, queryKeyNorm: false }),
  parseConfig: (fields) => {
    const config = parseRotaryConfig(fields);
    return { family: 'qwen2', ...config, ...parseSlidingWindow(fields, config.layers) };
  },
  formatConfig: (config) => ({ ...formatRotaryConfig(config), ...formatSlidingWindow(config) }),
});
