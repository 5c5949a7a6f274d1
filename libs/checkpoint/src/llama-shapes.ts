import { headSize, type LlamaConfig } from '@crucible/nn';
import type { Shape } from '@crucible/tensor';

/**
 * Names and shapes of a Llama model's tensors, as transformers names them, in the order of the parameter tree. One by
 * one, as a configuration may claim any number of layers.
 */
export function* llamaShapes(
  kind: 'language' | 'scalar',
  config: LlamaConfig,
): Generator<readonly [name: string, shape: Shape]> {
  const { hiddenSize, intermediateSize, vocabularySize, heads, keyValueHeads } = config;
  const size = headSize(config);
  const layer = (i: number): [string, Shape][] => [
    [`model.layers.${i}.input_layernorm.weight`, [hiddenSize]],
    [`model.layers.${i}.self_attn.q_proj.weight`, [heads * size, hiddenSize]],
    [`model.layers.${i}.self_attn.k_proj.weight`, [keyValueHeads * size, hiddenSize]],
    [`model.layers.${i}.self_attn.v_proj.weight`, [keyValueHeads * size, hiddenSize]],
    [`model.layers.${i}.self_attn.o_proj.weight`, [hiddenSize, heads * size]],
    [`model.layers.${i}.post_attention_layernorm.weight`, [hiddenSize]],
    [`model.layers.${i}.mlp.gate_proj.weight`, [intermediateSize, hiddenSize]],
    [`model.layers.${i}.mlp.up_proj.weight`, [intermediateSize, hiddenSize]],
    [`model.layers.${i}.mlp.down_proj.weight`, [hiddenSize, intermediateSize]],
  ];
  const head: [string, Shape][] =
    kind === 'scalar'
      ? [['score.weight', [1, hiddenSize]]]
      : config.tieEmbeddings
        ? []
        : [['lm_head.weight', [vocabularySize, hiddenSize]]];
  yield ['model.embed_tokens.weight', [vocabularySize, hiddenSize]];
  for (let i = 0; i < config.layers; i++) yield* layer(i);
  yield ['model.norm.weight', [hiddenSize]];
  yield* head;
}
